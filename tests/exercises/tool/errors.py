class CourseError(Exception):
    """One line for the user: what, where, what to do."""
