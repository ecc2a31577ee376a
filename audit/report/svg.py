"""The little of SVG that the pictures of a page need. Text stays text; colours are the page's."""

from xml.etree.ElementTree import Element, SubElement, tostring

Point = tuple[float, float]


def picture(width: float, height: float, title: str, kind: str = "") -> Element:
    """`kind` is a class of the page's style sheet; without one the picture has its own size."""
    svg = Element(
        "svg",
        {
            "xmlns": "http://www.w3.org/2000/svg",
            "viewBox": f"0 0 {width:g} {height:g}",
            "role": "img",
            "aria-label": title,
            "font-size": "12",
        },
    )
    svg.attrib |= {"class": kind} if kind else {"width": f"{width:g}", "height": f"{height:g}"}
    return svg


def group(parent: Element, kind: str) -> Element:
    return SubElement(parent, "g", {"class": kind})


def line(parent: Element, start: Point, end: Point, kind: str = "", dashes: str = "") -> None:
    numbers = {"x1": start[0], "y1": start[1], "x2": end[0], "y2": end[1]}
    attributes = {name: f"{value:.1f}" for name, value in numbers.items()}
    told = {"class": kind, "stroke-dasharray": dashes}
    SubElement(parent, "line", attributes | {name: one for name, one in told.items() if one})


def dot(parent: Element, place: Point, radius: float, kind: str = "") -> None:
    attributes = {"cx": f"{place[0]:.1f}", "cy": f"{place[1]:.1f}", "r": f"{radius:g}"}
    SubElement(parent, "circle", attributes | ({"class": kind} if kind else {}))


def box(parent: Element, corner: Point, width: float, height: float, kind: str) -> None:
    numbers = {"x": corner[0], "y": corner[1], "width": width, "height": height}
    attributes = {name: f"{value:.1f}" for name, value in numbers.items()}
    SubElement(parent, "rect", {**attributes, "rx": "4", "class": kind})


def tip(parent: Element, place: Point, direction: int) -> None:
    """The head of an arrow that points right (1) or left (-1)."""
    x, y = place
    back = x - 8 * direction
    points = f"{x:.1f},{y:.1f} {back:.1f},{y - 4:.1f} {back:.1f},{y + 4:.1f}"
    SubElement(parent, "polygon", {"points": points, "class": "tip"})


def text(parent: Element, place: Point, words: str, anchor: str = "start", kind: str = "") -> None:
    attributes = {"x": f"{place[0]:.1f}", "y": f"{place[1]:.1f}", "text-anchor": anchor}
    SubElement(parent, "text", attributes | ({"class": kind} if kind else {})).text = words


def finished(svg: Element) -> str:
    return tostring(svg, encoding="unicode")
