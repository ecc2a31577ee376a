"""`tally score precompute`: every model's score of every sample, ahead of time (S4, offline)."""

from contextlib import closing

from party.opening import open_party
from party.refreshing import precompute_scores
from tallystick.commands.features import AsParty, Kind
from tallystick.repeating import Every, every
from tallystick.terminal import note, say


def precompute(folder: AsParty, samples: Kind = None, repeat: Every = None) -> None:
    """Refresh the features, then score every sample by every active model (offline).

    The scores are this party's own half of each prediction, in its own engine: a table of
    model_id, sample_id, predict_value for every model. `--how offline` looks them up. Twice
    changes nothing, so it may run from cron or a timer; `--every 1d` repeats it here.
    """

    def once() -> None:
        with closing(open_party(folder)) as party:
            computed = precompute_scores(party, samples)
        for one in computed:
            say(f"{one.model_id} version {one.version}: {one.samples} samples are scored")
        if not computed:
            note("no model is active here: `tally convert` puts a trained one into the tables")

    every(repeat, once)
