"""`python -m ftcourse` is the command `ftcourse`."""

from .tools.cli import main

if __name__ == "__main__":
    main()
