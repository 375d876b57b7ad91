"""`python -m ftcourse` is the command `ftcourse`."""

from .cli import main

if __name__ == "__main__":
    main()
