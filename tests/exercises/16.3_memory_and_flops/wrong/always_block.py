"""block fits, but a mode that costs less does, too."""


def answers(p):
    return {"mode": "block"}
