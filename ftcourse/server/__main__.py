"""Run the service as a child of another process: ``python -m ftcourse.server`` (see `start_service`)."""

import argparse
import functools
import json
import sys

from ..errors import CourseError
from .serve import serve

parser = argparse.ArgumentParser()
parser.add_argument("--home")
parser.add_argument("--port", type=int, default=0)
parser.add_argument("--models", type=json.loads)
parser.add_argument("--closed-organisation", action="store_true")
try:
    serve(say=functools.partial(print, flush=True), with_parent=True, **vars(parser.parse_args()))
except CourseError as error:
    sys.exit(str(error))
