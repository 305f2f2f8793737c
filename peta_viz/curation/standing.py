"""What stands of components as they are, kept up act by act, however many there were before."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from peta_viz.curation.acts import Entry, Ledger, Order
from peta_viz.curation.queues import fitting, settle


@dataclass
class Account:
    """What one person did, or all of them together.

    Parameters
    ----------
    done
        The components that are settled, as `done_by` tells.
    settled
        Those that were at any time.
    changed
        Those of which labels, images or parts were changed.
    seconds
        How long each component was looked at.

    """

    done: set[int] = field(default_factory=set)
    settled: set[int] = field(default_factory=set)
    changed: set[int] = field(default_factory=set)
    seconds: dict[int, float] = field(default_factory=dict)

    def add(self, entry: Entry) -> None:
        """Take one more act, later than all others."""
        act = entry.act
        settle(self.done, entry)
        if act.settles:
            self.settled.add(act.component_id)
        if any(change.cell.field not in ("mark", "note") for change in act.changes):
            self.changed.add(act.component_id)
        self.seconds[act.component_id] = self.seconds.get(act.component_id, 0.0) + act.seconds


class Standing:
    """The acts of a ledger that stand, of components that are still the same.

    Parameters
    ----------
    members
        The images of every component, as `members_of` returns.

    Attributes
    ----------
    everybody, people
        What was done by all together, and by each.
    foreign
        How many acts are about components of another clustering.

    """

    def __init__(self, members: Mapping[int, frozenset[str]]) -> None:
        self._members = members
        self._clear()

    def _clear(self) -> None:
        self.everybody = Account()
        self.people: dict[str, Account] = defaultdict(Account)
        self.foreign = 0
        self._about: dict[int, list[Entry]] = defaultdict(list)
        self._last: Order = ("", "")

    def follow(self, ledger: Ledger, new: Sequence[Entry]) -> None:
        """Take in what was added to a ledger; told anew where that changes what was before."""
        late = any(entry.order < self._last for entry in new)
        if late or any(entry.act.target for entry in new):
            self._clear()
            self._take(ledger.acts())
        else:
            new = sorted(new, key=lambda entry: entry.order)
            self._take([entry for entry in new if ledger.is_active(entry.id)])

    def about(self, component: int) -> Sequence[Entry]:
        """Return the acts about a component, in order of time."""
        return self._about.get(component, ())

    def by(self, person: str) -> Account:
        """Return what a person did."""
        return self.people.get(person) or Account()

    def _take(self, entries: Sequence[Entry]) -> None:
        fit = fitting(entries, self._members)
        self.foreign += len(entries) - len(fit)
        for entry in fit:
            self._about[entry.act.component_id].append(entry)
            for account in (self.everybody, self.people[entry.person]):
                account.add(entry)
        if entries:
            self._last = entries[-1].order
