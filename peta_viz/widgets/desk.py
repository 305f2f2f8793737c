"""What a curator has before them: a queue of components, the case on top, and the log."""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from peta_viz.curation.acts import MARKS, VERDICTS, Act, Cell, Entry, Ledger, Mark, blindly
from peta_viz.curation.case import NO, UNKNOWN, YES, Case, NothingToDoError
from peta_viz.curation.decisions import check_known
from peta_viz.curation.log import DecisionLog
from peta_viz.curation.queues import members_of
from peta_viz.curation.standing import Standing
from peta_viz.errors import DecisionLogError, InvalidDataError, RequestError
from peta_viz.widgets.answering import a_text, all_rows
from peta_viz.widgets.catalogue import Catalogue
from peta_viz.widgets.doubts import Doubts
from peta_viz.widgets.rows import text
from peta_viz.words import counted

_RECENT = 1_000  # entries in which one looks for what others have just done
_SAID = {
    "relabel": "relabelled",
    "accept": "settled",
    "split": "split off",
    "join": "put back",
    "drop": "dropped",
    "restore": "took back in",
    "mark": "marked",
    "note": "noted",
    "undo": "took back",
    "redo": "did again",
}


class Desk:
    """A queue, the place in it, and what may be done to the component there.

    Parameters
    ----------
    catalogue
        The images.
    log
        Where acts are written.
    person
        Who sits here.
    queue
        Rows with `component_id` in order, and any of `score`, `stratum`, `probability`.
    name
        Of the queue: the place in it is kept by this name.
    blind
        Show neither predictions nor where the component comes from, nor what was decided otherwise
        than blindly by this person.
    predictions
        As `run_experiments` returns.
    doubts
        As `LabelQuality.worst` returns; not shown blindly either.

    Raises
    ------
    InvalidDataError
        If the queue names components that are not there, or the log or the doubts are about images
        or labels that are not.

    """

    def __init__(
        self,
        catalogue: Catalogue,
        log: DecisionLog,
        person: str,
        queue: pd.DataFrame,
        *,
        name: str = "",
        blind: bool = False,
        predictions: pd.DataFrame | None = None,
        doubts: pd.DataFrame | None = None,
    ) -> None:
        self.catalogue, self.log, self.person = catalogue, log, person
        self.name, self.blind = name, blind
        self.queue = _checked(queue, catalogue)
        self.order: list[int] = self.queue["component_id"].tolist()
        self._queued = frozenset(self.order)
        self.ledger = Ledger()
        self._seen = 0
        self._blindly = Ledger()  # what this person decided blindly
        self._standing = Standing(members_of(catalogue.imageset))
        self._described = 0
        self._codes = {int(one): code for code, one in enumerate(catalogue.components.index)}
        self._said = {} if predictions is None or blind else _probabilities(predictions)
        shown = None if blind else doubts
        self._doubts = Doubts({}) if shown is None else Doubts.of(catalogue.imageset, shown)
        self.refresh()
        check_known(catalogue.imageset, self.ledger.standing())
        kept = log.place(person, name)
        self.place = self.order.index(kept) if kept in self.order else self.next_open(0)
        self._since = time.monotonic()

    @property
    def component(self) -> int | None:
        """The id of the component on top, or None at the end."""
        return self._component_at(self.place)

    def _component_at(self, place: int) -> int | None:
        return self.order[place] if place < len(self.order) else None

    def refresh(self) -> None:
        """Take in what was written since, by whomever."""
        entries = self.log.since(self._seen)
        if entries:
            self._seen = entries[-1].number
            self.ledger.add(entries)
            own = blindly(e for e in entries if e.person == self.person)
            self._blindly.add(own)
            self._standing.follow(self.view, own if self.blind else entries)

    @property
    def view(self) -> Ledger:
        """What is shown of what was decided."""
        return self._blindly if self.blind else self.ledger

    def case(self, component: int) -> Case:
        """Look at a component."""
        rows = self.catalogue.members(self._codes[component])
        return Case.of(self.catalogue.imageset, self.view, component, rows)

    def go(self, place: int) -> None:
        """Move to a place; the end is one after the last."""
        self._stand_at(min(max(place, 0), len(self.order)))
        # Where one was is no decision: without it one begins at the first open component.
        with suppress(DecisionLogError):
            self.log.keep_place(self.person, self.name, self.component)

    def _stand_at(self, place: int) -> None:
        self.place = place
        self._since = time.monotonic()

    def next_open(self, place: int) -> int:
        """Return the first place from `place` on that this person has not settled, or the end."""
        done = self._standing.by(self.person).done
        for number in range(max(place, 0), len(self.order)):
            if self.order[number] not in done:
                return number
        return len(self.order)

    def doubts_in_words(self, component_id: int) -> str:
        """Say in a line what is doubted of a component; blindly nothing."""
        return self._doubts.in_words(component_id)

    def coming(self) -> list[int]:
        """Return the queue without what this person has settled."""
        done = self._standing.by(self.person).done
        return [component for component in self.order if component not in done]

    def do(self, what: str, content: Mapping[str, Any]) -> str:
        """Do what the front end asks for; returns what was done, in words.

        Raises
        ------
        NothingToDoError
            If there is nothing to do; the message says why.
        DecisionLogError
            If it could not be written.
        RequestError
            If the request makes no sense.

        """
        before = self._described
        self.refresh()
        if what in ("undo", "redo"):
            return self._switch(what, a_text(content, "expected", ""))
        component = self.component
        if component is None or content.get("component") != component:
            raise NothingToDoError("this component is not on top any more")
        if self._changed_since(before, component):
            raise NothingToDoError("somebody has just changed this component: look again")
        whole = not content.get("head")
        act = self._final(self._act(self.case(component), what, content), whole=whole)
        onward = act.settles and (what == "fix" or act.kind in ("accept", "drop", "mark"))
        place = self.next_open(self.place + 1) if onward else self.place
        # In one turn: whoever is stopped between would come back to what is settled.
        places = {self.name: self._component_at(place)}
        words = described(self.log.write(act, self.person, places=places))
        self.refresh()
        self._stand_at(place)
        if what == "accept" and whole and not onward:
            words += "; where no more than half of the images agree, it is left to you"
        return words

    def _final(self, act: Act, *, whole: bool) -> Act:
        """Say of an act what hangs on more than the case it was made of."""
        case = self.case(act.component_id)
        if act.kind in ("relabel", "split") and not act.settles:
            then = case.after(act)
            # If nothing is contested afterwards, what was settled stays so, and the last doubt
            # settles what had any.
            settled = act.component_id in self._standing.by(self.person).done
            if act.kind == "relabel" and self._doubted(case):
                settled = not self._doubted(then)
            act = replace(act, settles=settled and not then.contested().any())
        elif act.kind == "accept" and not whole and self._doubted(case.after(act)):
            act = replace(act, settles=False)
        if not self.blind:
            return act
        rows = self.catalogue.members(self._codes[act.component_id])
        return case.complete(
            act, Case.of(self.catalogue.imageset, self.ledger, act.component_id, rows)
        )

    def _changed_since(self, number: int, component: int) -> bool:
        """Tell whether anything that is shown of a component was written after a place."""
        return any(
            entry.number > number and entry.act.component_id == component
            for entry in self.view.told()[-_RECENT:]
        )

    def _act(self, case: Case, what: str, content: Mapping[str, Any]) -> Act:
        there = dict(zip(case.rows.tolist(), case.ids, strict=True))
        rows = dict.fromkeys(all_rows(content)) if "rows" in content else {}
        if lost := [row for row in rows if row not in there]:
            raise RequestError(f"there is no row {lost[0]} in component {case.component_id}")
        chosen = [there[row] for row in rows]
        where = self._where()
        acts: dict[str, Callable[[], Act]] = {
            "accept": lambda: case.accept(a_text(content, "head", ""), **where),
            "copy": lambda: case.copy(_only(chosen), **where),
            "relabel": lambda: self._relabel(case, content, chosen, where),
            "fix": lambda: self._relabel(case, content, chosen, where),
            "split": lambda: case.split(chosen, **where),
            "drop": lambda: case.drop(chosen, **where),
            "mark": lambda: _mark(case, _known_mark(content), chosen, where),
            "note": lambda: case.note(a_text(content, "text"), **where),
        }
        if what not in acts:
            raise RequestError(f"there is no act {what!r}")
        return acts[what]()

    def _relabel(
        self, case: Case, content: Mapping[str, Any], chosen: list[str], where: dict[str, Any]
    ) -> Act:
        label, value = a_text(content, "label"), a_text(content, "value")
        if label not in case.names or value not in (YES, NO, UNKNOWN):
            raise RequestError(f"there is no label {label!r} with the value {value!r}")
        return case.relabel(label, value, chosen or None, **where)

    def _where(self) -> dict[str, Any]:
        chance = self.queue.iloc[self.place].get("probability")
        return {
            "queue": self.name,
            "blind": self.blind,
            "probability": None if chance is None else float(chance),
            "seconds": round(time.monotonic() - self._since, 3),
        }

    def _switch(self, kind: str, expected: str) -> str:
        switch = self.log.undo if kind == "undo" else self.log.redo
        done = switch(self.person, expected, queue=self.name, blind=self.blind)
        if done is None:
            words = "to take back" if kind == "undo" else "to do again"
            raise NothingToDoError(f"there is nothing {words}, or it is something else by now")
        self.refresh()
        target = self.ledger.entries[done.act.target]
        if target.act.component_id in self.order:
            self.go(self.order.index(target.act.component_id))
        return f"{_SAID[kind]}: {described(target)}"

    def facts(self) -> dict[str, Any]:
        """Collect what never changes while one sits here."""
        imageset = self.catalogue.imageset
        heads = [[head.name, head.kind, list(head.labels)] for head in imageset.heads]
        return {
            "person": self.person,
            "queue": self.name,
            "blind": self.blind,
            "heads": heads,
            "labels": self.catalogue.names,
            "marks": list(MARKS),
            "log": self.log.path.name,
        }

    def progress(self) -> dict[str, Any]:
        """Count what is done and what is left of the queue, and how long it takes."""
        own = self._standing.by(self.person)
        done = len(own.done & self._queued)
        times = [seconds for one, seconds in own.seconds.items() if one in self._queued]
        others = {
            name: len(account.settled & self._queued)
            for name, account in self._standing.people.items()
            if name != self.person
        }
        return {
            "done": done,
            "left": len(self.order) - done,
            "changed": len(own.changed & self._queued),
            "seconds": float(np.median(times)) if times else 0.0,
            "others": sorted([name, count] for name, count in others.items() if count),
            "foreign": self._standing.foreign,
        }

    def describe(self) -> dict[str, Any]:
        """Describe the component on top, and how far one is."""
        undo, redo = self.view.switchable(self.person)
        self._described = self._seen
        state = {
            "place": self.place,
            "total": len(self.order),
            "progress": self.progress(),
            "undo": [undo.id, described(undo)] if undo else None,
            "redo": [redo.id, described(redo)] if redo else None,
            "coming": self._coming(),
        }
        if self.component is None:
            return {**state, "component": None}
        case = self.case(self.component)
        marks = {
            mark: _share([case.value(Cell(one, "mark", mark)) for one in case.ids])
            for mark in MARKS
        }
        own = self._standing.about(case.component_id)
        deciders = {entry.person for entry in own if entry.act.settles}
        suggested = set(case.suggest_split(self.catalogue.links))
        aspects = self.catalogue.aspects_of(case.rows)
        doubted = self._doubted(case)
        return {
            **state,
            "component": case.component_id,
            "facts": self._facts_of(case.component_id),
            "images": [
                {
                    "row": int(row),
                    "id": "" if self.blind else case.ids[place],
                    "aspect": float(aspect),
                    "group": int(case.groups[place]),
                    "kept": bool(case.kept[place]),
                    "suggested": case.ids[place] in suggested,
                }
                for place, (row, aspect) in enumerate(zip(case.rows, aspects, strict=True))
            ],
            "labels": self._labels(case, self._doubts.describe(case, doubted)),
            "doubted": len(doubted),
            "marks": marks,
            "note": case.value(Cell(case.ids[0], "note")),
            "deciders": sorted(deciders),
            "touched": sorted({entry.person for entry in own} - deciders),
        }

    def _facts_of(self, component: int) -> list[list[str]]:
        if self.blind:
            return []
        row = self.catalogue.components.iloc[self._codes[component]]
        images = self.catalogue.imageset.images
        first = images.iloc[self.catalogue.members(self._codes[component])[0]]
        named = {name: first[name] for name in ("subset", "split") if name in first}
        named |= {name: row[name] for name in ("weakest_link", "disagreement") if name in row}
        queued = self.queue.iloc[self.place]
        shown = {"score": "queue score", "stratum": "stratum"}
        named |= {words: queued[name] for name, words in shown.items() if name in queued}
        return [
            [name.replace("_", " "), text(value)] for name, value in named.items() if text(value)
        ]

    def _doubted(self, case: Case) -> list[str]:
        """Return the labels that are doubted; none once anybody has settled the component."""
        found = self._doubts.open_labels(case)
        return [] if found and case.component_id in self._standing.everybody.done else found

    def _labels(self, case: Case, doubts: dict[str, list[list[Any]]]) -> list[list[Any]]:
        """Describe the labels that occur, did before, or are doubted: as `states`.

        Heads with doubted labels come first, then those with disputed ones, then all other labels.
        """
        before, answered = self.catalogue.labels_of(case.rows)
        open_ones = case.contested()
        carried, known = before.sum(axis=0), answered.sum(axis=0)
        disputed = open_ones | ((carried > 0) & (carried < known))
        touched = {cell.label for one in case.ids for cell in self.view.touched(one)}
        found = [
            self._label(case, column, bool(disputed[column]), bool(open_ones[column]), own)
            for column in self._head_order(case)
            if (own := doubts.get(case.names[column], []))
            or case.labels[:, column].any()
            or before[:, column].any()
            or case.names[column] in touched
        ]
        return _by_head(found, list(doubts), case)

    def _label(
        self,
        case: Case,
        column: int,
        disputed: bool = False,  # noqa: FBT001, FBT002 - as they are sent
        contested: bool = False,  # noqa: FBT001, FBT002
        doubts: Sequence[list[Any]] = (),
    ) -> list[Any]:
        said = self._said.get(case.component_id, {})
        name = case.names[column]
        states = _states(case, column)
        return [name, disputed, contested, states, said.get(name, []), list(doubts)]

    def _head_order(self, case: Case) -> list[int]:
        placed = [name for head in case.heads for name in head.labels]
        names = list(dict.fromkeys([*placed, *case.names]))
        return [case.names.index(name) for name in names]

    def states(self, label: str) -> list[Any]:
        """Describe a label of the component on top, though it may not occur in it.

        Returns
        -------
        list
            Its name; is it, or was it, contested? is it now? ``y``, ``n`` or ``?`` for each image;
            what the models say: what each was trained on, and its probability; and its doubts,
            each as `Doubt.describe` has it, if they are shown.

        """
        if self.component is None or label not in self.catalogue.names:
            raise RequestError(f"there is no label {label!r}")
        case = self.case(self.component)
        return self._label(case, case.names.index(label))

    def _coming(self) -> list[int]:
        """Return the rows of the images that are likely shown next."""
        places = {self.place + 1, self.next_open(self.place + 1), self.place - 1}
        return [
            int(row)
            for place in sorted(places, reverse=True)
            if 0 <= place < len(self.order)
            for row in self.catalogue.members(self._codes[self.order[place]])[:40]
        ]


def described(entry: Entry) -> str:
    """Say what an act did."""
    act = entry.act
    cells = [change.cell for change in act.changes]
    images = len({cell.image_id for cell in cells})
    words = _SAID[act.kind]
    if act.kind in ("relabel", "accept"):
        labels = sorted({cell.label for cell in cells})
        what = labels[0] if len(labels) == 1 else counted(len(labels), "label")
        words += f" ({what}, {counted(images, 'image')})" if cells else " (nothing to change)"
    elif act.kind == "mark":
        names = [change.cell.label for change in act.changes if change.after == YES]
        words = f"marked {names[0]}" if names else "took a mark away"
    elif act.kind != "note":
        words += f" {counted(images, 'image')}"
    return f"component {act.component_id}: {words}"


def _by_head(labels: list[list[Any]], doubted: list[str], case: Case) -> list[list[Any]]:
    """Put what is to be decided first, head by head, the head with the worst doubt on top."""
    heads = {name: head.name for head in case.heads for name in head.labels}
    places = {name: place for place, name in enumerate(doubted)}
    ranks: dict[str, int] = {}
    for name, place in places.items():
        ranks.setdefault(heads.get(name, name), place)

    def key(label: list[Any]) -> tuple[bool, int, int]:
        name, disputed, *_, doubts = label
        if not (disputed or doubts):
            return True, 0, 0
        last = len(places)
        return False, ranks.get(heads.get(name, name), last), places.get(name, last)

    return sorted(labels, key=key)


def _mark(case: Case, mark: Mark, chosen: list[str], where: dict[str, Any]) -> Act:
    # A verdict is about the component: of some images one says it by dropping or relabelling.
    images = None if mark in VERDICTS else chosen or None
    return case.mark(mark, images, **where)


def _known_mark(content: Mapping[str, Any]) -> Mark:
    for mark in MARKS:
        if mark == content.get("mark"):
            return mark
    raise RequestError(f"there is no mark {content.get('mark')!r}")


def _only(chosen: list[str]) -> str:
    if len(chosen) != 1:
        raise NothingToDoError("choose the one image whose labels are right")
    return chosen[0]


def _states(case: Case, column: int) -> str:
    return "".join(
        "?" if not known else "y" if carried else "n"
        for carried, known in zip(case.labels[:, column], case.known[:, column], strict=True)
    )


def _share(values: list[str]) -> str:
    count = values.count(YES)
    return "all" if count == len(values) else "some" if count else ""


def _checked(queue: pd.DataFrame, catalogue: Catalogue) -> pd.DataFrame:
    problems = []
    if "component_id" not in queue.columns:
        problems.append("it has no column component_id")
    else:
        lost = [n for n in queue["component_id"] if n not in catalogue.components.index]
        if lost:
            problems.append(
                f"{counted(len(lost), 'component is', 'components are')} not there, "
                f"such as {lost[0]!r}"
            )
        if queue["component_id"].duplicated().any():
            problems.append("it names a component more than once")
    if problems:
        raise InvalidDataError("the queue", problems)
    return queue.reset_index(drop=True)


def _probabilities(predictions: pd.DataFrame) -> dict[int, dict[str, list[list[Any]]]]:
    """Average what the models say of each component and label, by what they were trained on."""
    raw = predictions[predictions["judged_on"] == "raw"]
    keys = ["component_id", "label", "trained_on"]
    means = raw.groupby(keys)["probability"].mean().round(3).reset_index()
    means = means.sort_values("trained_on", ascending=False, kind="stable")  # raw, cleaned
    found: dict[int, dict[str, list[list[Any]]]] = {}
    for component, label, *said in means.to_numpy(dtype="O").tolist():
        found.setdefault(component, {}).setdefault(label, []).append(said)
    return found
