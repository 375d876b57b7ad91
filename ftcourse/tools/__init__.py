"""What runs the course from the outside: the command line, the runner, its live view and report, and the doctor."""
