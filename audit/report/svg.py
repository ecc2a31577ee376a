"""The little of SVG that the pictures of a report need. Text stays text."""

from xml.etree.ElementTree import Element, SubElement, tostring


def picture(width: float, height: float, title: str) -> Element:
    svg = Element(
        "svg",
        {
            "xmlns": "http://www.w3.org/2000/svg",
            "viewBox": f"0 0 {width:g} {height:g}",
            "width": f"{width:g}",
            "height": f"{height:g}",
            "role": "img",
            "aria-label": title,
            "font-family": "system-ui, sans-serif",
            "font-size": "12",
        },
    )
    SubElement(svg, "title").text = title
    definitions = SubElement(svg, "defs")
    marker = SubElement(
        definitions,
        "marker",
        {
            "id": "arrow",
            "viewBox": "0 0 10 10",
            "refX": "9",
            "refY": "5",
            "markerWidth": "7",
            "markerHeight": "7",
            "orient": "auto-start-reverse",
        },
    )
    SubElement(marker, "path", {"d": "M0 0 L10 5 L0 10 z", "fill": "#0b5fa5"})
    return svg


Point = tuple[float, float]


def line(svg: Element, start: Point, end: Point, **attributes: str) -> None:
    numbers = {"x1": start[0], "y1": start[1], "x2": end[0], "y2": end[1]}
    places = {name: f"{value:.1f}" for name, value in numbers.items()}
    told = {name.replace("_", "-"): value for name, value in attributes.items() if value}
    SubElement(svg, "line", {"stroke-width": "1", **places, **told})


def text(
    svg: Element, x: float, y: float, words: str, *, anchor: str = "start", weight: str = "normal"
) -> None:
    attributes = {"x": f"{x:.1f}", "y": f"{y:.1f}", "text-anchor": anchor, "font-weight": weight}
    SubElement(svg, "text", {**attributes, "fill": "#1a1a1a"}).text = words


def finished(svg: Element) -> str:
    return tostring(svg, encoding="unicode")
