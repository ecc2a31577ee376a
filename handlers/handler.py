"""What a handler is: a function of the log so far, one fact and the party's own secrets."""

from collections.abc import Callable, Mapping
from typing import Any

from events.catalogue import Fact
from events.event import Event
from handlers.drafts import Decision
from handlers.history import History
from handlers.own import Own

Handler = Callable[[History, Fact[Any], Own], Decision]
Reactions = Mapping[type[Event], Handler]
