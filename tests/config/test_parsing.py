from __future__ import annotations

import os
import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from occupancy.config import LSTM, Config, Data, Section, Train
from occupancy.config.keys import known_keys
from occupancy.config.parsing import load_config, load_configs, parse_overrides, resolve
from occupancy.errors import InputError
from tests.kinds import MODELS
from tests.places import ROOT

Refuse = Callable[..., str]


def allowed_in(section: type[Section]) -> str:
    return ", ".join(field.alias or name for name, field in section.model_fields.items())


TOP, DATA, TRAIN = allowed_in(Config), allowed_in(Data), allowed_in(Train)


@pytest.fixture
def refusal(tmp_path: Path) -> Refuse:
    """Return what is said of a file and overrides, the file being called FILE."""

    def refuse(content: str | bytes, *overrides: str) -> str:
        path = tmp_path / "room.yaml"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        with pytest.raises(InputError) as caught:
            load_config(path, overrides)
        said = str(caught.value)
        assert len(said.splitlines()) == 1
        return said.replace(str(path), "FILE")

    return refuse


def config_of(tmp_path: Path, content: str, *overrides: str) -> Config:
    path = tmp_path / "room.yaml"
    path.write_text(content)
    return load_config(path, overrides)


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("trian.max_epochs=5", f"unknown key trian; did you mean train? allowed in the top level: {TOP}"),
        ("max_epochs=5", f"unknown key max_epochs; did you mean train.max_epochs? allowed in the top level: {TOP}"),
        ("train.max_epoch=5", f"unknown key train.max_epoch; did you mean train.max_epochs? allowed in train: {TRAIN}"),
        ("data.sorce=uci", f"unknown key data.sorce; did you mean data.source? allowed in data: {DATA}"),
        ("data.log_schema=uci", f"unknown key data.log_schema; did you mean data.schema? allowed in data: {DATA}"),
        ("data.foo=1", f"unknown key data.foo; allowed in data: {DATA}"),
        ("data.foo.bar=1", f"unknown key data.foo; allowed in data: {DATA}"),
        ("zzz.zzz=1", f"unknown key zzz; allowed in the top level: {TOP}"),
        ("dropout=0.5", f"unknown key dropout; did you mean model.dropout? allowed in the top level: {TOP}"),
        ("data={sorce: uci}", f"unknown key data.sorce; did you mean data.source? allowed in data: {DATA}"),
        ("train.max_epochs=many", "train.max_epochs: got 'many' (str), expected a valid integer"),
        ("train.max_epochs=5.0", "train.max_epochs: got 5.0 (float), expected a valid integer"),
        ("train.max_epochs=true", "train.max_epochs: got True (bool), expected a valid integer"),
        ("train.max_epochs=", "train.max_epochs: got None (NoneType), expected a valid integer"),
        ("train.max_epochs=0", "train.max_epochs: got 0 (int), expected greater than or equal to 1"),
        ("train.refit=1", "train.refit: got 1 (int), expected a valid boolean"),
        ("train.learning_rate=.nan", "train.learning_rate: got nan (float), expected a finite number"),
        ("model.dropout=1", "model.dropout: got 1 (int), expected less than 1"),
        ("model.name=tree", f"model.name: got 'tree' (str), expected {', '.join(map(repr, MODELS))}"),
        ("model.name=5", f"model.name: got 5 (int), expected {', '.join(map(repr, MODELS))}"),
        ("model=5", "model: got 5 (int), expected keys with values"),
        (
            "model={name: clock, layers: 2}",
            "unknown key model.layers; allowed in model: name, prior_s",
        ),
        (
            "model={name: bnn, hidden: 5}",
            "model.hidden: got 5 (int), expected a valid list such as 'model.hidden=[5]', with the quotes",
        ),
        ("data.missing=fill", "data.missing: got 'fill' (str), expected 'keep', 'hold' or 'refuse'"),
        ("protocol=fair", "protocol: got 'fair' (str), expected 'honest' or 'report'"),
        (
            "data.source=2017-12-22",
            "data.source: got datetime.date(2017, 12, 22) (date), expected a valid string; command line: data.source: "
            "got datetime.date(2017, 12, 22) (date), expected a valid list such as 'data.source=[2017-12-22]', with "
            "the quotes",
        ),
        ("name=''", "name: got '' (str); string should have at least 1 character"),
        ("data=5", "data: got 5 (int), expected keys with values"),
        ("seed.first=5", "seed.first: 'seed' is a single value (1) and has no keys in it"),
        ("train.max_epochs", "got 'train.max_epochs', expected key=value such as data.source=simulated"),
        ("=5", "got '=5', expected key=value such as data.source=simulated"),
        (
            "motion]",
            "got 'motion]', expected key=value such as data.source=simulated, or 'features=[co2, motion]' with the "
            "quotes",
        ),
        (
            "features=light",
            "features: got 'light' (str), expected 'no_light', 'all', 'physics' or 'centred_physics'; "
            "command line: features: got 'light' (str), expected a valid list such as 'features=[light]', with the "
            "quotes",
        ),
        (
            "features=[co2, lihgt]",
            "features: got ['co2', 'lihgt'] (list), expected 'no_light', 'all', 'physics' or 'centred_physics'; "
            "command line: features.1: got "
            "'lihgt' (str), expected 'temperature', 'light', 'sound', 'co2', 'co2_slope', 'motion', 'humidity', 'voc', "
            "'pressure', 'door', 'power', 'devices', 'ventilation' or 'other'",
        ),
        (
            "data.schema=own.yaml",
            "data: schema 'own.yaml' conflicts with source 'auto', which has the columns of schema 'uci'; "
            "set source to the path of a CSV file",
        ),
        ("data.simulation.room.opens_h=21", "data.simulation.room: opens_h 21 must come before closes_h 20"),
    ],
)
def test_a_wrong_override_is_told_with_what_is_allowed(refusal: Refuse, override: str, said: str) -> None:
    assert refusal("seed: 1\n", override) == f"command line: {said}"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("sead: 1\n", f"unknown key sead; did you mean seed? allowed in the top level: {TOP}"),
        (
            "train:\n  max_epoch: 5\n",
            f"unknown key train.max_epoch; did you mean train.max_epochs? allowed in train: {TRAIN}",
        ),
        ("train:\n  max_epochs: a few\n", "train.max_epochs: got 'a few' (str), expected a valid integer"),
        ("train:\n", "train: got None (NoneType), expected keys with values"),
        ("name: 5\n", "name: got 5 (int), expected a valid string"),
        ("1: 2\n", "1: got 1 (int); keys should be strings"),
        (
            "data:\n  source: simulated\n  time_format: '%Y'\n",
            "data: time_format conflicts with source 'simulated', which reads no file; remove one of them",
        ),
        (
            "sead: 1\ntrain: {members: 0}\n",
            "train.members: got 0 (int), expected greater than or equal to 1; "
            f"FILE: unknown key sead; did you mean seed? allowed in the top level: {TOP}",
        ),
    ],
)
def test_a_wrong_file_is_told_with_what_is_allowed(refusal: Refuse, content: str, said: str) -> None:
    assert refusal(content) == f"FILE: {said}"


def test_a_mistake_in_the_file_is_not_blamed_on_an_override_of_another_key(refusal: Refuse) -> None:
    said = refusal("train: {members: 0}\n", "train.max_epochs=x")
    assert said == (
        "command line: train.max_epochs: got 'x' (str), expected a valid integer; "
        "FILE: train.members: got 0 (int), expected greater than or equal to 1"
    )


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "FILE: got an empty file, expected keys with values"),
        ("# only a comment\n", "FILE: got an empty file, expected keys with values"),
        ("- seed\n", "FILE: got ['seed'] (list), expected keys with values"),
        ("seed\n", "FILE: got 'seed' (str), expected keys with values"),
        ("seed: 1\nseed: 2\n", "FILE: is not valid YAML: key 'seed' is given twice in line 2, column 1"),
        (
            "train: {members: 1, members: 2}\n",
            "FILE: is not valid YAML: key 'members' is given twice in line 1, column 21",
        ),
        (
            "seed: !!python/name:os.system\n",
            "FILE: is not valid YAML: got the tag 'tag:yaml.org,2002:python/name:os.system', expected values",
        ),
        ("seed: [1\n", "FILE: is not valid YAML: while parsing a flow sequence in line 1, column 7"),
        (
            "\tseed: 1\n",
            "FILE: is not valid YAML: while scanning for the next token found character that cannot start any token",
        ),
        ("[a, b]: 1\n", "FILE: is not valid YAML: while constructing a mapping found unhashable key in line 1"),
        ("seed: 2024-99-99\n", "FILE: is not valid YAML: month must be in 1..12"),
        ("seed: " + "[" * 500, "FILE: is not valid YAML: lists and mappings are nested deeper than 20"),
        (b"\xff\xfes\x00e\x00", "FILE: is not text; give the path of a YAML file"),
        (b"\x00\x01\x02", "FILE: is not valid YAML: unacceptable character #x0000: control characters are not allowed"),
    ],
    ids=lambda case: repr(case)[:30],
)
def test_a_file_that_holds_no_settings_is_refused(refusal: Refuse, content: str | bytes, said: str) -> None:
    assert refusal(content).startswith(said)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "none.yaml"
    with pytest.raises(
        InputError, match=re.escape(f"{path}: cannot be read (No such file or directory); give the path")
    ):
        load_config(path)


def test_of_many_problems_the_first_are_told_and_quickly(refusal: Refuse) -> None:
    begun = time.process_time()
    said = refusal("".join(f"key{number}: 1\n" for number in range(20_000)))
    assert time.process_time() - begun < 5  # coverage takes half of it
    assert said.startswith("FILE: unknown key key0; allowed in the top level: ")
    assert said.count("unknown key") == 5
    assert said.endswith("; and 19,995 more problems")


@pytest.mark.parametrize(
    "content",
    [
        "k" * 60_000 + ": 1",
        "train: {" + "m" * 60_000 + ": 1}",
        "protocol: " + "v" * 60_000,
        "v" * 60_000,
        "model: {name: " + "n" * 60_000 + "}",
        "seed: [" + "1," * 60_000 + "]",
        "data: {schema: " + "s" * 4000 + ", source: uci}",
        "? " + "k" * 900 + "\n: 1\n? " + "k" * 900 + "\n: 2",
    ],
    ids=lambda content: content[:20],
)
def test_what_is_quoted_is_cut(refusal: Refuse, content: str) -> None:
    assert len(refusal(content)) <= 2000


@pytest.mark.parametrize(
    "text", ['"\\e[31mred": 1', 'name: "\\e[31mred"', 'protocol: "\\e[31mred"', 'model: {name: "\\e[31mred"}']
)
def test_control_characters_of_a_file_are_written_out(refusal: Refuse, text: str) -> None:
    said = refusal(text)
    assert "\x1b" not in said
    assert "\\x1b" in said


@pytest.mark.parametrize(
    "content",
    [
        "model: {name: [lstm]}\nsead: 1",
        "model: {name: {a: 1}}\nsead: 1",
        "model: {name: mixture, members: 5}\nsead: 1",
        "model: {name: mixture, members: [5, [6], {name: [7]}]}\nsead: 1",
        "data: [1]\nsead: 1",
        "null: 1\nsead: 1",
        ".nan: 1\nsead: 1",
    ],
)
def test_a_suggestion_is_given_whatever_else_is_wrong(refusal: Refuse, content: str) -> None:
    assert "unknown key sead; did you mean seed? " in refusal(content)


def test_overrides_have_bounds() -> None:
    with pytest.raises(
        InputError, match=r"^command line: got settings of 100,003 characters, expected at most 100,000; "
    ):
        parse_overrides(["a=" + "v" * 50_000, "b=" + "v" * 49_999])
    with pytest.raises(InputError, match=r"^command line: 'a\.a.*\.a' has 10,000 parts, expected at most 10$"):
        parse_overrides([".".join("a" * 10_000) + "=1"])
    begun = time.process_time()
    assert len(parse_overrides([f"k{number}.a=1" for number in range(9_000)])) == 9_000
    assert time.process_time() - begun < 5  # coverage takes half of it


def test_a_pipe_is_read_once_for_all_seeds_and_needs_a_name() -> None:
    def pipe(content: bytes) -> str:
        reader, writer = os.pipe()
        os.write(writer, content)
        os.close(writer)
        return f"/dev/fd/{reader}"

    configs = load_configs(pipe(b"name: piped"), ["train.members=2"], [0, 7])
    assert [(config.name, config.seed, config.train.members) for config in configs] == [
        ("piped", 0, 2),
        ("piped", 7, 2),
    ]
    assert load_config(pipe(b"seed: 3"), ["name=given"]).name == "given"
    with pytest.raises(
        InputError, match=r"^/dev/fd/\d+: is a pipe, which gives the experiment no name; add name=NAME$"
    ):
        load_config(pipe(b"seed: 3"))


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (["seed=1", "seed=2"], "seed conflicts with seed, which is given before it; give it once"),
        (["seed=1", " seed =1"], "seed conflicts with seed, which is given before it; give it once"),
        (
            ["data.source=uci", "data={max_count: 3}"],
            "data conflicts with data.source, which is given before it; give it",
        ),
        (
            ["data={max_count: 3}", "data.source=uci"],
            "data.source conflicts with data, which is given before it; give it",
        ),
    ],
)
def test_an_override_given_twice_is_refused(overrides: list[str], said: str) -> None:
    with pytest.raises(InputError, match=f"^command line: {re.escape(said)}"):
        parse_overrides(overrides)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 0.001),
        ("1E5", 100_000.0),
        ("+2.e1", 20.0),
        ("-1e-3", -0.001),
        ("1.5", 1.5),
        ("5", 5),
        ("e-3", "e-3"),
        ("true", True),
        ("null", None),
        ("", None),
        ("[co2, motion]", ["co2", "motion"]),
        ("%m/%d/%Y", "%m/%d/%Y"),
        ("%m/%d/%Y %H:%M:%S", "%m/%d/%Y %H:%M:%S"),
        ("[unclosed", "[unclosed"),
        ("{a: 1, a: 2}", "{a: 1, a: 2}"),
        ("2024-99-99", "2024-99-99"),
        ("a=b", "a=b"),
        ("sqlite:///mlflow.db", "sqlite:///mlflow.db"),
    ],
)
def test_the_value_of_an_override_is_read_as_yaml_or_else_as_text(text: str, value: object) -> None:
    got = parse_overrides([f"some.key={text}"])["some.key"]
    assert got == value
    assert type(got) is type(value)


def test_numbers_without_a_dot_are_numbers_in_a_file_too(tmp_path: Path) -> None:
    assert config_of(tmp_path, "train:\n  learning_rate: 1e-3\n").train.learning_rate == 1e-3


def test_an_override_wins_over_the_file_and_leaves_its_neighbours(tmp_path: Path) -> None:
    config = config_of(tmp_path, "model: {dropout: 0.1, hidden: 32}\n", "model.dropout=0.2", "train.members=1")
    assert isinstance(config.model, LSTM)
    assert (config.model.dropout, config.model.hidden, config.train.members) == (0.2, 32, 1)


def test_a_whole_section_can_be_overridden(tmp_path: Path) -> None:
    config = config_of(tmp_path, "model: {dropout: 0.1, hidden: 32}\n", "model={layers: 1}")
    assert isinstance(config.model, LSTM)
    assert (config.model.layers, config.model.hidden) == (1, 64)


@pytest.mark.parametrize("features", ["no_light", "all", ["co2", "motion"]])
def test_features_are_a_word_or_a_list_of_kinds(tmp_path: Path, features: object) -> None:
    assert config_of(tmp_path, "seed: 1\n", f"features={features}").features == features


def test_a_config_takes_the_name_of_its_file_unless_it_has_one(tmp_path: Path) -> None:
    assert config_of(tmp_path, "seed: 1\n").name == "room"
    assert config_of(tmp_path, "name: other\n").name == "other"
    assert config_of(tmp_path, "name: other\n", "name=third").name == "third"


def test_a_byte_order_mark_before_the_yaml_is_no_key(tmp_path: Path) -> None:
    assert config_of(tmp_path, "\ufeffseed: 7\n").seed == 7


def test_every_known_key_can_be_overridden(tmp_path: Path) -> None:
    flat = Config(name="room").flat()
    for key in known_keys():
        if key in flat:
            value = "null" if flat[key] is None else repr(flat[key])
            assert config_of(tmp_path, "seed: 0\n", f"{key}={value}").flat()[key] == flat[key]


def test_resolving_without_overrides_is_checking() -> None:
    assert resolve(Config, {"name": "x", "seed": 3}, "here").seed == 3
    with pytest.raises(InputError, match=r"^here: name is missing$"):
        resolve(Config, {"seed": 3}, "here")


@pytest.mark.parametrize(
    ("typed", "example"),
    [("co2", "co2"), ("[co2,motion", "co2,motion"), ("co2, motion]", "co2, motion"), ("\u00ad", "..."), ("a'b", "...")],
)
def test_the_list_that_is_advised_is_one(typed: str, example: str) -> None:
    with pytest.raises(InputError) as caught:
        load_config(ROOT / "configs" / "smoke.yaml", [f"features={typed}"])
    assert f"such as 'features=[{example}]', with the quotes" in str(caught.value)
