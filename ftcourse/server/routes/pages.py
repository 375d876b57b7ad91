"""Pages for people. They hold no data: the status page asks the API for it, with the key."""

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from ..pages import STATUS_PAGE, docs_page

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)

_POLICY = {
    "content-security-policy": "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; "
    "connect-src 'self'; base-uri 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
}


@router.get("/")
def status() -> HTMLResponse:
    """Return the page that shows what the service does."""
    return HTMLResponse(STATUS_PAGE.read_text(encoding="utf-8"), headers=_POLICY)


@router.get("/docs")
def docs(request: Request) -> HTMLResponse:
    """Return the page that shows what the API offers.

    Args:
        request: to this service.
    """
    return HTMLResponse(docs_page(request.app.openapi()), headers=_POLICY)
