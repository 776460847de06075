"""Production serves nothing that isn't approved: what is wrong is named, with what to do. Without it everybody is told."""

from __future__ import annotations

from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from service_fakes import ScriptedAssistant

from medasst.catalogue import Catalogue
from medasst.catalogue.catalogue import SAMPLES
from medasst.cli import main
from medasst.errors import ConfigError
from medasst.lexicon import Lexicon
from medasst.models import SystemConfig
from medasst.rulebook import Rulebook
from medasst.rulebook.signatures import Signature
from medasst.service.app import create_app
from medasst.service.config import ServeConfig
from medasst.service.server import open_rulebook
from medasst.signoff.kept import keep
from medasst.signoff.sheet import lines
from medasst.weights import is_embedded

TODAY = "2026-11-02"


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A shop's own catalogue of a few products."""
    path = tmp_path_factory.mktemp("shop") / "products.jsonl"
    samples = [product for product in Catalogue.from_samples(Lexicon(Rulebook.load())) if product.offered][:2]
    own = (product.model_copy(update={"sku": f"S{number}", "maker": "松风药业"}) for number, product in enumerate(samples))
    path.write_text("".join(product.model_dump_json(exclude_defaults=True) + "\n" for product in own), "utf-8")
    return path


@pytest.fixture(scope="module")
def signatures(shop: Path) -> list[Signature]:
    """Everything approved."""
    book = Rulebook.load()
    found = lines(book, Catalogue.open(shop, Lexicon(book)))
    return [_signature(line.place, line.content) for line in found]


def _signature(place: tuple[str, str], content: str) -> Signature:
    told = {"table": place[0], "key": place[1], "content": content, "approved_by": "王药师", "approved_on": TODAY}
    return Signature.model_validate(told)


def test_what_isnt_fit_is_named_with_counts_keys_and_remedy() -> None:
    config = ServeConfig(production=True, model=SystemConfig(engine="llama.cpp", base="embedded"))
    with pytest.raises(ConfigError) as error:
        open_rulebook(config)
    model, catalogue, reach, rules = str(error.value).splitlines()[1:]
    assert "'embedded' is an embedded base" in model
    assert "imaginary pharmacy" in catalogue and "medasst catalogue import" in catalogue
    assert "how to reach a pharmacist" in reach and "shop.toml" in reach
    with pytest.raises(ConfigError, match=r"which are samples \(OTC-"):
        open_rulebook(ServeConfig(production=True, catalogue=SAMPLES))
    rows = len(Rulebook.load().triage)
    assert f"{rows} rule (acute_coronary, aortic_dissection, pulmonary_embolism, …)" in rules and "dose (" in rules
    assert "medasst rulebook export" in rules
    open_rulebook(config.model_copy(update={"production": False}))


def test_all_approved_starts_and_a_changed_or_refused_row_doesnt(
    shop: Path, signatures: list[Signature], tmp_path: Path
) -> None:
    signed, overlay = tmp_path / "signed", tmp_path / "overlay"
    keep(signatures, signed)
    words = tmp_path / "shop.toml"
    words.write_text('[pharmacist]\nhours = "全天"\n', "utf-8")
    config = ServeConfig(production=True, catalogue=shop, signed=signed, shop=words)
    with pytest.raises(ConfigError, match="how to reach a pharmacist"):
        open_rulebook(config)
    words.write_text('[pharmacist]\nphone = "12345"\n', "utf-8")
    assert len(open_rulebook(config).ledger.settled) == len(signatures) - 2  # all but the products

    overlay.mkdir()
    (overlay / "populations.toml").write_text('[[population]]\nid = "nsaid_elderly"\nverdict = "forbid"\n', "utf-8")
    with pytest.raises(ConfigError, match=r"not approved as they are now: 1 population \(nsaid_elderly\);"):
        open_rulebook(config.model_copy(update={"overlay": overlay}))

    no = {("dose", "褪黑素_other_144"), ("rule", "breast_lump"), ("product", "S0")}
    keep((one.model_copy(update={"refused": (one.table, one.key) in no}) for one in signatures), signed)
    with pytest.raises(ConfigError) as error:
        open_rulebook(config)
    # A refused dose is unknown and a refused product not offered, so these are settled; the rule goes on as it was.
    assert str(error.value).splitlines()[1:] == [
        "- refused, and in force since nothing is stricter: 1 rule (breast_lump); change them in an overlay and sign again"
    ]


def test_a_product_that_changed_isnt_approved(shop: Path, signatures: list[Signature], tmp_path: Path) -> None:
    keep(signatures, tmp_path / "signed")
    changed = tmp_path / "products.jsonl"
    changed.write_text(shop.read_text("utf-8").replace("【", "[", 1).replace("一日", "每日", 1), "utf-8")
    assert changed.read_text("utf-8") != shop.read_text("utf-8")
    with pytest.raises(ConfigError, match=r"1 product \(S\d\)"):
        open_rulebook(ServeConfig(production=True, catalogue=changed, signed=tmp_path / "signed"))


def test_embedded_bases_are_told_by_name_file_and_hub_id(tmp_path: Path) -> None:
    file = tmp_path / "model.gguf"
    file.write_bytes(b"")
    names = ("embedded", "qwen2.5-coder-1.5b", str(file), "Qwen/Qwen2.5-Coder-0.5B-Instruct")
    assert all(map(is_embedded, names))
    assert not is_embedded("Qwen/Qwen2-7B-Instruct") and not is_embedded(str(tmp_path))


@pytest.mark.parametrize(("production", "mode"), [(False, "demonstration"), (True, "production")])
def test_models_say_whether_it_is_a_demonstration(assistant: ScriptedAssistant, production: bool, mode: str) -> None:
    client = TestClient(create_app(assistant, {}, ServeConfig(production=production)))
    assert [model["medasst"]["mode"] for model in client.get("/v1/models").json()["data"]] == [mode]
    assert "<b>演示</b>" in client.get("/").text  # the page hides it only where /v1/models says production


def test_the_command_line_refuses_with_exit_code_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", "--production", "--port", "0"]) == 2
    assert "not fit for production" in capsys.readouterr().err
