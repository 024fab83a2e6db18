"""The list of figures. `@figure(NAME, TITLE, ALT)` adds the function below it, which returns a style.Figure."""

FIGURES = {}


def figure(name, title, alt):
    def add(draw):
        if name in FIGURES:
            raise ValueError(f"two figures have the name {name}")
        FIGURES[name] = (draw, title, " ".join(alt.split()))
        return draw

    return add
