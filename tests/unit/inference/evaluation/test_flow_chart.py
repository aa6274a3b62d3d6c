from xml.etree.ElementTree import fromstring

from inference.evaluation.flow import Excluded, Flow, Group
from inference.evaluation.flow_chart import flow_svg

PAPER = Flow(
    screened=470,
    excluded=(Excluded("poor image quality", 9), Excluded("a <script> & more", 18)),
    included=(Group("train", 122, 162), Group("selection", 30, 40), Group("test", 38, 51)),
)


def texts(svg: str) -> list[str]:
    return ["".join(e.itertext()) for e in fromstring(svg).iter("{http://www.w3.org/2000/svg}text")]  # noqa: S314


def test_every_number_of_the_flow_is_drawn() -> None:
    assert texts(flow_svg(PAPER)) == [
        "Patients screened",
        "n = 470",
        "Excluded, n = 27",
        "9  poor image quality",
        "18  a <script> & more",
        "Included",
        "n = 443: 190 PIMA, 253 IPN",
        "train",
        "n = 284: 122 PIMA, 162 IPN",
        "selection",
        "n = 70: 30 PIMA, 40 IPN",
        "test",
        "n = 89: 38 PIMA, 51 IPN",
    ]


def test_a_single_group_of_included_patients_is_said_once() -> None:
    drawn = texts(flow_svg(Flow(3, (), (Group("included", 1, 2),))))
    assert drawn == ["Patients screened", "n = 3", "Included", "n = 3: 1 PIMA, 2 IPN"]


def test_boxes_lie_inside_the_drawing_and_do_not_overlap() -> None:
    root = fromstring(flow_svg(PAPER))  # noqa: S314
    width, height = float(root.attrib["width"]), float(root.attrib["height"])
    boxes = [
        tuple(float(e.attrib[name]) for name in ("x", "y", "width", "height"))
        for e in root.iter("{http://www.w3.org/2000/svg}rect")
    ]
    for x, y, w, h in boxes:
        assert x >= 0
        assert y >= 0
        assert x + w <= width
        assert y + h <= height
    for i, (x, y, w, h) in enumerate(boxes):
        for u, v, s, t in boxes[i + 1 :]:
            assert x + w <= u or u + s <= x or y + h <= v or v + t <= y
