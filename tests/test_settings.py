"""Settings come in layers, and a misspelt one is an error that names the nearest."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.errors import SettingsError
from pipeline.settings import Settings, load_settings


def test_each_layer_wins_over_the_one_below(tmp_path: Path) -> None:
    (tmp_path / "footnote.toml").write_text(
        'profile = "local"\npassage_seconds = 20\nlanguage="de"'
    )
    environment = {"FOOTNOTE_PASSAGE_SECONDS": "25", "FOOTNOTE_LANGUAGE": "fr", "PATH": "/bin"}
    settings = load_settings({"language": "ja"}, environment=environment, folder=tmp_path)
    assert settings.profile == "local"
    assert settings.passage_seconds == 25
    assert settings.language == "ja"
    assert settings.screen_reader == Settings().screen_reader


def test_the_librarys_own_file_wins_over_the_folders(tmp_path: Path) -> None:
    library = tmp_path / "library"
    library.mkdir()
    (tmp_path / "footnote.toml").write_text('language = "de"\npassage_seconds = 20')
    (library / "footnote.toml").write_text('language = "fr"')
    settings = load_settings({"library": library}, environment={}, folder=tmp_path)
    assert (settings.language, settings.passage_seconds) == ("fr", 20)


@pytest.mark.parametrize(
    ("file", "environment", "wrong", "nearest"),
    [
        ("profil = 'auto'", {}, "profil", "profile"),
        ("", {"FOOTNOTE_ENDPONT": "x"}, "FOOTNOTE_ENDPONT", "FOOTNOTE_ENDPOINT"),
    ],
)
def test_an_unknown_key_names_the_nearest(
    tmp_path: Path, file: str, environment: dict[str, str], wrong: str, nearest: str
) -> None:
    (tmp_path / "footnote.toml").write_text(file)
    with pytest.raises(SettingsError) as caught:
        load_settings(environment=environment, folder=tmp_path)
    assert wrong in caught.value.message
    assert nearest in caught.value.hint
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("file", ["profile = 'none'", "passage_seconds = 'x'", "=", "\xff"])
def test_a_value_that_cannot_be_is_an_error(tmp_path: Path, file: str) -> None:
    (tmp_path / "footnote.toml").write_bytes(file.encode("latin-1"))
    with pytest.raises(SettingsError):
        load_settings(environment={}, folder=tmp_path)


def test_the_api_key_is_not_shown() -> None:
    settings = load_settings(environment={"FOOTNOTE_API_KEY": "secret"})
    assert "secret" not in repr(settings)
    assert settings.api_key.get_secret_value() == "secret"
