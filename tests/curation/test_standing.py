"""What stands is the same whether it was kept up act by act or told at the end."""

from hypothesis import given, settings
from hypothesis import strategies as st

from peta_viz.curation.acts import Act, Cell, Change, Entry, Ledger
from peta_viz.curation.queues import done_by, fitting
from peta_viz.curation.standing import Standing

MEMBERS = {n: frozenset({f"i{n}", f"j{n}"}) for n in range(3)}
PEOPLE = ["Ada", "Ben"]


def _entry(at, number, kind, component, person, settles, target, foreign):
    images = ("i0",) if foreign else tuple(MEMBERS[component])
    field = "mark" if kind == "mark" else "label"
    changes = () if target else (Change(Cell(images[0], field, "x"), "no", "yes"),)
    act = Act(kind, component, images, changes, settles and not target, target, seconds=1.0)
    return Entry(act, f"e{number}", f"{at:03}", person)


@st.composite
def _logs(draw):
    """Batches as they come: some late, some taken back, perhaps before they are known."""
    count = draw(st.integers(1, 14))
    entries = []
    for number in range(count):
        back = draw(st.booleans()) and draw(st.booleans())
        kind = draw(st.sampled_from(["undo", "redo"] if back else ["relabel", "accept", "mark"]))
        target = f"e{draw(st.integers(0, count - 1))}" if back else ""
        entries.append(
            _entry(
                draw(st.integers(0, 99)) if draw(st.booleans()) else 100 + number,
                number,
                kind,
                draw(st.integers(0, 2)),
                draw(st.sampled_from(PEOPLE)),
                draw(st.booleans()),
                target,
                draw(st.integers(0, 9)) == 0,
            )
        )
    cuts = sorted(draw(st.sets(st.integers(0, count), max_size=4)))
    return [entries[a:b] for a, b in zip([0, *cuts], [*cuts, count], strict=True)]


@settings(max_examples=300, deadline=None)
@given(_logs())
def test_kept_up_it_is_what_is_told_at_the_end(batches):
    ledger, standing = Ledger(), Standing(MEMBERS)
    for batch in batches:
        ledger.add(batch)
        standing.follow(ledger, batch)
        acts = ledger.acts()
        fit = fitting(acts, MEMBERS)
        assert standing.foreign == len(acts) - len(fit)
        assert standing.everybody.done == done_by(fit)
        for person in PEOPLE:
            own = [entry for entry in fit if entry.person == person]
            account = standing.by(person)
            assert account.done == done_by(own)
            assert account.settled == {e.act.component_id for e in own if e.act.settles}
            assert sum(account.seconds.values()) == len(own)
            labels = {e.act.component_id for e in own if e.act.kind != "mark"}
            assert account.changed == labels
        for component in MEMBERS:
            assert list(standing.about(component)) == [
                entry for entry in fit if entry.act.component_id == component
            ]


def test_one_more_act_does_not_tell_all_of_them_again(monkeypatch):
    ledger, standing = Ledger(), Standing(MEMBERS)
    first = _entry(100, 0, "accept", 0, "Ada", True, "", False)
    ledger.add([first])
    standing.follow(ledger, [first])
    monkeypatch.delattr(Ledger, "acts")
    second = _entry(101, 1, "accept", 1, "Ada", True, "", False)
    ledger.add([second])
    standing.follow(ledger, [second])
    assert standing.by("Ada").done == {0, 1}
