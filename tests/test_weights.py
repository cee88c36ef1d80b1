"""Cards and the registry: a weight set is used as described, or refused in one line."""

import hashlib
import json
import pickle
import shutil
from dataclasses import asdict, replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from catalogs.errors import InputError
from lsbg_classifier import load_classifier
from lsbg_classifier.weights import registry
from lsbg_classifier.weights.cards import Card
from lsbg_classifier.weights.registry import DEFAULT_WEIGHTS, find_weights, known_weights
from pipeline.describe import describe_card, describe_weights

SHIPPED = ("des-real", "des-simulated")

CARD = Card(
    name="mine",
    description="Größe und ε: any letters",
    survey="hsc",
    bands=("g", "r", "i"),
    pixel_scale=0.336,
    stretch="viewer",
    sample="640 + 640",
    recipe="by hand",
    seed=7,
    limitations="all",
    licence="CC0-1.0",
    sha256=hashlib.sha256(b"").hexdigest(),
    threshold=0.25,
    prior=0.2,
    scores={"test": {"auc": 0.9, "count": 3}},
    software={"keras": "3.15"},
)


def text(**changes):
    return json.dumps(asdict(CARD) | changes)


def without(*keys):
    return json.dumps({key: value for key, value in asdict(CARD).items() if key not in keys})


DAMAGED = {
    "empty": "",
    "no JSON": "name: mine",
    "cut off": text()[:-20],
    "binary": b"\x89HDF\r\n\x1a\n" + bytes(100),
    "not UTF-8": text().encode("utf-16"),
    "a list": "[]",
    "null": "null",
    "a number": "5",
    "too deep": "[" * 100_000,
    "too large": text(description="x" * 2**20),
    "missing key": without("seed"),
    "missing keys": without("name", "bands", "sha256"),
    "extra key": text(colour="blue"),
    "extra key on two lines": text(**{"a\nb": 1}),
    "name no text": text(name=5),
    "name on two lines": text(name="a\nb"),
    "escape sequence": text(description="\x1b[2J"),
    "long wrong value": text(seed="x" * 10_000),
    "null in place of a text": text(licence=None),
    "a half seed": text(seed=1.5),
    "a true seed": text(seed=True),
    "bands in one text": text(bands="gri"),
    "two bands": text(bands=["g", "r"]),
    "bands no texts": text(bands=[1, 2, 3]),
    "scale no number": text(pixel_scale="0.5"),
    "negative scale": text(pixel_scale=-0.524),
    "no scale": text(pixel_scale=0),
    "infinite scale": text(pixel_scale=float("inf")),
    "scale not a number": text(pixel_scale=float("nan")),
    "scale beyond floats": text(pixel_scale=10**400),
    "threshold above 1": text(threshold=1.5),
    "no LSBGs at all, and less": text(prior=-0.1),
    "threshold not a number": text(threshold=float("nan")),
    "scores no mapping": text(scores=0.9),
    "scores without samples": text(scores={"auc": 0.9}),
    "score no number": text(scores={"test": {"auc": "high"}}),
    "versions no texts": text(software={"keras": 3}),
}


@pytest.fixture
def own(tmp_path, monkeypatch):
    """The user's folder of weight sets."""
    folder = tmp_path / "own"
    folder.mkdir()
    monkeypatch.setenv("LSBG_WEIGHTS", str(folder))
    return folder


def install(folder, stem, weights=b"", **changes):
    """Put a weight set there; its card fits its weights."""
    path = folder / f"{stem}.weights.h5"
    path.write_bytes(weights)
    sha256 = hashlib.sha256(weights).hexdigest()
    replace(CARD, **{"name": stem, "sha256": sha256} | changes).write(folder / f"{stem}.json")
    return path


def refused(call, *arguments):
    """Return the one line that a call is refused with."""
    with pytest.raises(InputError) as caught:
        call(*arguments)
    line = str(caught.value)
    assert "\n" not in line and len(line) < 400
    return line


def test_a_card_is_read_as_written(tmp_path):
    CARD.write(tmp_path / "card.json")
    assert Card.read(tmp_path / "card.json") == CARD


def test_a_card_needs_no_scores(tmp_path):
    (tmp_path / "card.json").write_text(without("scores", "software", "threshold"))
    assert Card.read(tmp_path / "card.json").threshold == 0.5


@pytest.mark.parametrize("damage", DAMAGED)
def test_a_damaged_card_is_refused(damage, tmp_path):
    content = DAMAGED[damage]
    path = tmp_path / "card.json"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    assert refused(Card.read, path).startswith(f"{path}: not a card of a weight set (")


def test_the_refusal_says_which_key(tmp_path):
    path = tmp_path / "card.json"
    for content, key in ((without("seed"), "seed"), (text(bands="g"), "bands")):
        path.write_text(content)
        assert key in refused(Card.read, path)


def test_a_card_that_cannot_be_read(tmp_path):
    assert "No such file" in refused(Card.read, tmp_path / "card.json")
    assert str(tmp_path) in refused(Card.read, tmp_path)


def test_the_users_folder_is_looked_into(own):
    install(own, "mine")
    assert known_weights().keys() == {"mine", *SHIPPED}
    assert find_weights("mine").card.survey == "hsc"


def test_a_weight_set_of_the_user_hides_the_shipped_one(own):
    path = install(own, DEFAULT_WEIGHTS, description="my own")
    assert find_weights(DEFAULT_WEIGHTS).path == path
    assert f"{DEFAULT_WEIGHTS} (default): my own" in describe_weights()


@pytest.mark.parametrize("variable", ["XDG_DATA_HOME", "HOME"])
def test_without_a_folder_named_the_one_for_data_is_taken(variable, tmp_path, monkeypatch):
    for name in ("LSBG_WEIGHTS", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(variable, str(tmp_path))
    data = tmp_path if variable == "XDG_DATA_HOME" else tmp_path / ".local" / "share"
    folder = data / "lsbg_classifier" / "weights"
    folder.mkdir(parents=True)
    install(folder, "mine")
    assert "mine" in known_weights()


def test_a_folder_that_does_not_exist_holds_nothing(tmp_path, monkeypatch):
    monkeypatch.setenv("LSBG_WEIGHTS", str(tmp_path / "nowhere"))
    assert sorted(known_weights()) == sorted(SHIPPED)


def test_an_unknown_name_lists_the_known(own):
    install(own, "mine")
    line = refused(load_classifier, "des")
    assert "'des'" in line and "mine" in line and DEFAULT_WEIGHTS in line


def test_a_file_is_found_by_its_path(tmp_path):
    path = install(tmp_path, "elsewhere")
    assert find_weights(str(path)).card.name == find_weights(path).card.name == "elsewhere"
    path.unlink()
    assert str(path) in refused(find_weights, str(path))


def test_weights_without_a_card(tmp_path):
    path = install(tmp_path, "mine")
    (tmp_path / "mine.json").unlink()
    assert str(tmp_path / "mine.json") in refused(find_weights, path)


def test_a_broken_card_does_not_keep_the_other_sets_from_use(own):
    install(own, "broken")
    (own / "broken.json").write_text("{")
    install(own, "mine")
    assert known_weights().keys() == {"mine", *SHIPPED}
    assert find_weights("mine").card.name == "mine"
    assert str(own / "broken.json") in refused(find_weights, "broken")
    (line,) = (line for line in describe_weights() if line.startswith("broken: "))
    assert "cannot be used" in line and str(own / "broken.json") in line


def test_a_broken_set_of_the_user_is_not_replaced_by_the_shipped_one(own):
    install(own, DEFAULT_WEIGHTS)
    (own / f"{DEFAULT_WEIGHTS}.json").write_text("{")
    assert str(own) in refused(load_classifier)


def test_two_sets_of_one_name_are_not_chosen_between(own):
    install(own, "first", name="same")
    install(own, "second", name="same")
    assert "'same'" in refused(find_weights, "same")


def test_changed_weights_are_refused(own):
    path = install(own, "mine")
    path.write_bytes(b"something else")
    line = refused(load_classifier, "mine")
    assert str(path) in line and "sha256" in line


def shipped():
    return find_weights(DEFAULT_WEIGHTS).path.read_bytes()


def edited(change, tmp_path):
    """The shipped weights after a change of the open file."""
    path = tmp_path / "edited.h5"
    path.write_bytes(shipped())
    with h5py.File(path, "r+") as file:
        change(file)
    return path.read_bytes()


def spoil_a_number(file):
    file["layers/dense_1/vars/0"][5] = np.nan


def take_a_layer_away(file):
    del file["layers/dense_1"]


def widen_the_first_layer(file):
    del file["layers/conv2d/vars/0"]
    file["layers/conv2d/vars/0"] = np.zeros((5, 5, 3, 16), np.float16)


def add_a_layer(file):
    file["layers/dense_2/vars/0"] = np.zeros((1, 1), np.float16)


def put_texts(file):
    del file["layers/dense_1/vars/0"]
    file["layers/dense_1/vars/0"] = np.full((1024, 1), b"text")


def turn_a_kernel(file):
    kernel = file["layers/dense/vars/0"][:].T
    del file["layers/dense/vars/0"]
    file["layers/dense/vars/0"] = kernel


@pytest.mark.slow
@pytest.mark.parametrize(
    "change",
    [
        spoil_a_number,
        take_a_layer_away,
        widen_the_first_layer,
        add_a_layer,
        put_texts,
        turn_a_kernel,
    ],
)
def test_weights_of_another_network_are_refused(change, own, tmp_path):
    path = install(own, "mine", edited(change, tmp_path))
    assert f"{path}: not weights of this network" in refused(load_classifier, "mine")


@pytest.mark.parametrize("kept", [0, 1000, 0.5, 0.999])
def test_a_file_that_was_cut_off_is_refused(kept, own):
    whole = shipped()
    part = whole[: kept if isinstance(kept, int) else int(kept * len(whole))]
    path = install(own, "mine", part)
    assert f"{path}: not weights of this network" in refused(load_classifier, "mine")


class Trap:
    """Leaves a trace when it is unpickled."""

    def __init__(self, trace):
        self.trace = trace

    def __reduce__(self):
        return Path.touch, (self.trace,)


def test_a_pickle_is_never_opened(own, tmp_path):
    trap = pickle.dumps(Trap(tmp_path / "trace"))
    install(own, "mine", trap)
    refused(load_classifier, "mine")
    for name in ("mine.pkl", "mine.keras", "mine.h5"):
        shutil.copy(own / "mine.weights.h5", own / name)
        assert "unknown weights" in refused(load_classifier, str(own / name))
    assert not (tmp_path / "trace").exists()
    pickle.loads(trap)
    assert (tmp_path / "trace").exists()


def test_every_line_of_a_card_is_shown(own):
    install(own, "mine")
    shown = "\n".join(describe_card("mine"))
    for said in (
        CARD.description,
        'gri, 0.336"',
        "0.25",
        "of which 20% are LSBGs",
        "640 + 640",
        "auc 0.9",
        "CC0",
        "seed 7",
    ):
        assert said in shown
    assert str(registry.weights_folder()) in shown


def test_scores_are_shown_with_their_intervals():
    shown = "\n".join(describe_card("des-simulated"))
    assert "accuracy 0.988 (0.980 to 0.993), completeness 0.979 (0.966 to 0.990)" in shown
    assert "_low" not in shown and "_high" not in shown
