"""Perceptrons as tables, and back: a row a weight; place -1 is the bias of a unit (C2, C4)."""

from itertools import groupby
from operator import itemgetter

from scoring.model_rows import CONTENT, Fetch, Filled, Head, Row, frame_rows, read_frame
from scoring.models.network import Layer, NetworkModel
from scoring.tables import Column, ColumnType, Table

BIAS = -1

WEIGHTS = Table(
    "model_layer_weights",
    (
        CONTENT,
        Column("layer", ColumnType.INTEGER),
        Column("place", ColumnType.INTEGER),
        Column("unit", ColumnType.INTEGER),
        Column("activation", ColumnType.TEXT),
        Column("weight", ColumnType.NUMBER),
    ),
    key=("content", "layer", "place", "unit"),
)


def network_rows(model: NetworkModel, content: str) -> list[Filled]:
    """What is no weight is the frame of the document, in `model_frames`."""
    rows: list[Row] = [
        (content, number, place, unit, layer.activation, weight)
        for number, layer in enumerate(model.layers)
        for place, weights in enumerate((layer.biases, *layer.weights), BIAS)
        for unit, weight in enumerate(weights)
    ]
    return [frame_rows(model.model_copy(update={"layers": ()}), content), (WEIGHTS, rows)]


def read_network(_: Head, fetch: Fetch) -> NetworkModel:
    """The very document that was stored. Raises pydantic's ValidationError for unfit rows."""
    frame = NetworkModel.model_validate_json(read_frame(fetch))
    layers = []
    for _number, grouped in groupby(fetch(WEIGHTS), key=itemgetter(1)):
        rows = list(grouped)
        biases, *weights = (
            tuple(row[5] for row in places) for _, places in groupby(rows, key=itemgetter(2))
        )
        layers.append(Layer(weights=tuple(weights), biases=biases, activation=rows[0][4]))
    return NetworkModel.model_validate({**dict(frame), "layers": tuple(layers)})
