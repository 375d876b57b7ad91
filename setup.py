"""Build configuration: everything is read from settings.ini, which nbdev 2.x shares."""

import re
from configparser import ConfigParser
from itertools import chain
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

here = Path(__file__).parent
settings = ConfigParser(delimiters=["="], interpolation=None)
settings.read(here / "settings.ini", encoding="utf-8")
ini = settings["DEFAULT"]


def readme() -> str:
    """Return README with links that lead into the repository from wherever it is shown, such as a package index."""
    files, raw = (f"{ini['git_url']}/{kind}/{ini['branch']}/" for kind in ("blob", "raw"))
    text = (here / "README.md").read_text(encoding="utf-8")
    text = re.sub(r"\]\((?![a-z]+:|#)", f"]({files}", text)
    return re.sub(r'(src|srcset)="(?![a-z]+:)', rf'\1="{raw}', text)


class BuildWithLessons(build_py):
    """Put the notebooks and the run records into the wheel, for use where there is no repository."""

    def run(self) -> None:
        """Build as usual, then copy the notebooks and records."""
        super().run()
        if self.editable_mode:
            return  # the lessons are read from nbs/
        notebooks = [(here / "nbs").glob(pattern) for pattern in ("*.ipynb", "exercises/*.ipynb", "solutions/*.ipynb")]
        for file in (*chain(*notebooks), *(here / "results").rglob("*.json")):
            top, *rest = file.relative_to(here).parts
            target = Path(self.build_lib, "ftcourse", {"nbs": "lessons"}.get(top, top), *rest)
            self.mkpath(str(target.parent))
            self.copy_file(str(file), str(target))


setup(
    name=ini["lib_name"],
    version=ini["version"],
    description=ini["description"],
    long_description=readme(),
    long_description_content_type="text/markdown",
    url=ini["git_url"],
    author=ini["author"],
    author_email=ini["author_email"],
    license="Apache-2.0",
    keywords=ini["keywords"],
    classifiers=[
        "Development Status :: 3 - Alpha",
        "Intended Audience :: Education",
        "Programming Language :: Python :: 3",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
    ],
    packages=find_packages(include=["ftcourse", "ftcourse.*"]),
    include_package_data=True,
    python_requires=f">={ini['min_python']}",
    install_requires=ini["requirements"].split(),
    extras_require={extra: ini[f"{extra}_requirements"].split() for extra in ("dev", "benchmark", "site")},
    entry_points={"console_scripts": ini["console_scripts"].split(), "nbdev": ["ftcourse=ftcourse._modidx:d"]},
    cmdclass={"build_py": BuildWithLessons},
    zip_safe=False,
)
