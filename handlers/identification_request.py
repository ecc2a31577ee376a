"""Asking for labels: which customers, in which order, under which handles (requirements L1, L3).

The order and the handles are drawn for each request. The arbiter gets the handles alone, so what it
decrypts belongs to nobody that it knows; the data parties get the customers in the same order.
"""

import hashlib
import json
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from events.identifying import IdentificationRequested, IdentificationTerms
from events.predictions import task_of
from events.versions import only
from handlers.alignment import HANDLE_BYTES
from handlers.drafts import Draft, blob, draft
from handlers.errors import ProtocolError
from handlers.history import History
from handlers.own import Own, secret_commitment
from handlers.tasks import serving_key, task_bytes, write_task

PLACE_BYTES = 8


def label_request(
    terms: IdentificationTerms, own: Own, customers: Sequence[str], job: str
) -> Draft:
    """The first event of a request for labels; `customers` are told in an order drawn anew."""
    order = _drawn_order(terms, own, job, "\n".join(customers).encode())
    ids = [customers[place] for place in order]
    tasks = {name: write_task(serving_key(own, terms.model_id, name), ids) for name in terms.asked}
    return _request(terms, own, job, json.dumps(ids, ensure_ascii=False).encode(), tasks)


def sweep_request(terms: IdentificationTerms, own: Own, job: str) -> Draft:
    """The first event of a sweep, over all customers held out of the training."""
    order = _drawn_order(terms, own, job, b"")
    places = np.ascontiguousarray(order, "<i8").tobytes()
    tasks = dict.fromkeys(terms.asked, places)
    return _request(terms, own, job, json.dumps(order.tolist()).encode(), tasks)


def requested(history: History) -> IdentificationTerms:
    return history.one(IdentificationRequested).event.terms


def issued_handles(history: History, own: Own) -> bytes:
    """The rows' handles, each once. Raises ProtocolError."""
    fact = history.one(IdentificationRequested)
    handles = own.read(fact.payload("rows"))
    pieces = np.frombuffer(handles, f"V{HANDLE_BYTES}")
    if len(np.unique(pieces)) != fact.event.terms.rows:
        raise ProtocolError(f"{fact.source} gives two rows the same handle")
    return handles


def own_task(history: History, own: Own) -> bytes:
    """What another party asks this one for."""
    return own.read(history.one(IdentificationRequested).payload(task_of(own.name)))


def own_customers(history: History, own: Own) -> list[str]:
    """The ids in the order of the rows, of the own request."""
    ids: list[str] = json.loads(own.read(history.one(IdentificationRequested).payload("order")))
    return ids


def swept_places(history: History, own: Own) -> NDArray[np.int64]:
    """Where the rows of a sweep stand among the customers held out. Raises ProtocolError."""
    fact = history.one(IdentificationRequested)
    if fact.source == own.name:
        places = np.array(json.loads(own.read(fact.payload("order"))), np.int64)
    else:
        places = np.frombuffer(own_task(history, own), "<i8")
    if not np.array_equal(np.sort(places), np.arange(fact.event.terms.rows)):
        raise ProtocolError(f"{fact.source} sweeps over other customers than were held out")
    return places


def task_size(terms: IdentificationTerms) -> int:
    return PLACE_BYTES * terms.rows if terms.purpose == "sweep" else task_bytes(terms.rows)


def _drawn_order(
    terms: IdentificationTerms, own: Own, job: str, content: bytes
) -> NDArray[np.int64]:
    digest = hashlib.sha256(content).digest()
    return own.generator(job, "identification order", digest).permutation(terms.rows)


def _request(
    terms: IdentificationTerms, own: Own, job: str, order: bytes, tasks: dict[str, bytes]
) -> Draft:
    digest = hashlib.sha256(order).digest()
    handles = own.generator(job, "row handles", digest).bytes(HANDLE_BYTES * terms.rows)
    asked = IdentificationRequested(
        terms=terms,
        secret_commitment=secret_commitment(own.secret, job),
        speaks=only(own.speaks.newest),
    )
    told = [blob(task_of(name), content) for name, content in tasks.items()]
    return draft(
        asked,
        job,
        terms,
        blob("order", order),
        blob("rows", handles, terms.rows),
        *told,
        issuer=own.name,
    )
