"""Jobs that are real and small: some of the customers of `term_deposit`, and a short key."""

import csv
import gzip
from pathlib import Path

from party.sources import SourceSettings
from tallystick.demo.federation import DemoOptions

DATA = Path(__file__).parents[1] / "tallystick" / "data"
KEY_BITS = 512


def few_customers(folder: Path, customers: int) -> DemoOptions:
    """So many customers that both sides have, as files in the folder; parties go beside them."""
    tables = {}
    for side in ("bank", "partner"):
        with gzip.open(DATA / f"term_deposit_{side}.csv.gz", "rt", newline="") as file:
            tables[side] = list(csv.reader(file))
    both = sorted(
        {row[0] for row in tables["bank"][1:]} & {row[0] for row in tables["partner"][1:]}
    )
    kept = set(both[:customers])
    for side, (header, *rows) in tables.items():
        with (folder / f"{side}.csv").open("w", newline="") as file:
            csv.writer(file).writerows([header, *(row for row in rows if row[0] in kept)])
    bank_source, partner_source = (
        SourceSettings.model_validate({"file": str(folder / f"{side}.csv")}) for side in tables
    )
    out = folder / "parties"
    out.mkdir()
    return DemoOptions(
        name="term_deposit",
        bank=bank_source,
        partner=partner_source,
        out=out,
        key_bits=KEY_BITS,
        leak_budget=2.0,
    )
