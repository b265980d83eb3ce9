"""What a package says about its content is read right by python-debian, and every license is in it once."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from debian.changelog import Changelog
from debian.copyright import Copyright
from packageurl import PackageURL

from packaging_tool.package import texts
from packaging_tool.package.model import Change, Module
from tests.formats import samples

BSD = "Redistribution and use in source and binary forms are permitted.\nNeither name may be used."
APACHE = (
    "                                 Apache License\n                           Version 2.0, January 2004\n\n"
    "   TERMS AND CONDITIONS FOR USE, REPRODUCTION, AND DISTRIBUTION\n\n"
    + "   1. Definitions.\n" * 700
    + "   END OF TERMS AND CONDITIONS\n"
)
MODULES = (
    Module(
        "example.org/a", "v1.0.0", "BSD-3-Clause", ("2009 The A Authors",), f"Copyright 2009 The A Authors\n\n{BSD}"
    ),
    Module("example.org/b", "v2.0.0", "BSD-3-Clause", (), f"Copyright (c) 2012 B. All rights reserved.\n\n{BSD}\n"),
    Module("example.org/c", "v3.0.0", "BSD-3-Clause", ("2020 C",), f"{BSD} But not on Sundays."),
    Module("example.org/d", "v4.0.0+incompatible", "Apache-2.0", ("2021 D",), APACHE, "h1:abc="),
    Module("example.org/e", "v5.0.0", "MIT AND Apache-2.0", ("2022 E",), f"Either.\n\nHold on.\n{APACHE}\nThe end."),
    Module("example.org/f", "v6.0.0"),
    Module("example.org/g", "v7.0.0", "GPL-2.0-or-later", ("2023 G",), "GPL text"),
)


def parsed(modules: tuple[Module, ...] = MODULES, **options: bool) -> tuple[str, Any]:
    """The file and python-debian's reading of it, whose types say less than it gives."""
    data = texts.copyright_file(samples.plugin(modules=modules), **options).decode()
    return data, Copyright(data.splitlines(), strict=True)


def test_python_debian_reads_every_paragraph() -> None:
    _, file = parsed()
    assert file.header.upstream_name == "tiny"
    assert file.header.known_format()
    paragraphs = [p for p in file.all_files_paragraphs() if p.files]
    assert paragraphs[0].files == ("*",)
    assert {pattern for p in paragraphs for pattern in p.files} == {
        "*",
        *(f"vendor/{module.path}/*" for module in MODULES),
    }
    named = {p.license.synopsis for p in paragraphs if p.license}
    assert named == {p.license.synopsis for p in file.all_license_paragraphs()}


def test_a_license_text_stands_once_and_holders_stay_with_their_modules() -> None:
    data, file = parsed()
    assert data.count("Redistribution and use") == 2
    holders = {p.files: p.copyright for p in file.all_files_paragraphs()}
    assert holders[("vendor/example.org/a/*",)] == "2009 The A Authors"
    assert holders[("vendor/example.org/b/*",)] == "Copyright (c) 2012 B. All rights reserved."
    license_of_b = next(p.license for p in file.all_license_paragraphs() if p.license.synopsis == "BSD-3-Clause")
    assert "Authors" not in license_of_b.text


def test_other_words_under_the_same_name_get_a_name_of_their_own() -> None:
    _, file = parsed()
    licenses = {p.license.synopsis: p.license.text for p in file.all_license_paragraphs()}
    assert "Sundays" not in licenses["BSD-3-Clause"]
    assert "Sundays" in licenses["BSD-3-Clause-2"]


def test_texts_that_debian_has_are_referred_to() -> None:
    data, _ = parsed()
    assert "Definitions" not in data
    assert "/usr/share/common-licenses/Apache-2.0." in data
    assert "or (at your option) any later version" in " ".join(data.split())
    assert "/usr/share/common-licenses/GPL-2." in data
    assert "Hold on." in data
    assert "The end." in data


def test_the_notice_of_an_apache_module_is_passed_on() -> None:
    data, file = parsed((Module("example.org/n", "v1.0.0", "Apache-2.0", ("2021 N",), f"{APACHE}\nN\nIncludes M.\n"),))
    licenses = {p.license.synopsis: p.license.text for p in file.all_license_paragraphs()}
    assert "Definitions" not in data
    assert "Includes M." not in licenses["Apache-2.0"]
    assert licenses["Apache-2.0-2"].endswith("Apache-2.0.\n\nN\nIncludes M.")


def test_a_title_makes_no_other_license() -> None:
    with_title = Module("example.org/t", "v1.0.0", "MIT", ("T",), f"The MIT License (MIT)\n\n{samples.MIT}")
    _, file = parsed((with_title, Module("example.org/u", "v1.0.0", "MIT", ("U",), samples.MIT.replace(",", ""))))
    assert [p.license.synopsis for p in file.all_license_paragraphs()] == ["Apache-2.0", "MIT"]


def test_elsewhere_the_whole_texts_stand_in_the_file() -> None:
    data, _ = parsed(common_licenses=False)
    assert "Definitions" in data
    assert "common-licenses" not in data


@pytest.mark.parametrize("name", ["MIT", "ISC", "BSD-2-Clause", "BSD-3-Clause"])
def test_a_package_without_modules_has_its_own_license_whole(name: str) -> None:
    text = texts.copyright_file(samples.plugin(license=name)).decode()
    assert "AS IS" in text
    assert "spdx.org" not in text


def test_where_a_text_is_not_known_its_place_is_told() -> None:
    text = texts.copyright_file(samples.plugin(license="Zlib OR ../../x")).decode()
    assert "https://spdx.org/licenses/Zlib.html" in text


def test_a_module_without_license_is_not_given_one() -> None:
    _, file = parsed()
    paragraph = next(p for p in file.all_files_paragraphs() if p.files == ("vendor/example.org/f/*",))
    assert paragraph.license
    assert paragraph.license.synopsis == "unknown"


@pytest.mark.parametrize("text", ["a\n\n\nb", "a\r\n\r\nb\r", " indented\n.dot\n\tb", "a\f\nb"])
def test_odd_license_texts_keep_the_file_readable(text: str) -> None:
    _, file = parsed((Module("example.org/odd", "v1.0.0", "LicenseRef-odd", ("x\nFiles: y",), text),))
    assert [p.files for p in file.all_files_paragraphs()] == [("*",), ("vendor/example.org/odd/*",)]


def test_the_changelog_is_debians() -> None:
    changes = (
        Change("3:1.1-1", 1_790_000_000, "Ä B <a@example.org>", ("First. " * 30, "Second.\nSame line.")),
        Change("1.0-1", 1_700_000_000, "A B <a@example.org>", ("Package it.",)),
    )
    log = Changelog(texts.debian_changelog("tiny", changes).decode(), strict=True)
    newest, oldest = log
    assert (newest.package, str(newest.version), newest.author) == ("tiny", "3:1.1-1", "Ä B <a@example.org>")
    assert newest.date == "Mon, 21 Sep 2026 14:13:20 +0000"
    assert newest.date == datetime.fromtimestamp(1_790_000_000, UTC).strftime("%a, %d %b %Y %H:%M:%S +0000")
    assert all(len(line) <= 80 for line in newest.changes())
    assert "  * Second. Same line." in newest.changes()
    assert str(oldest.version) == "1.0-1"


def test_the_module_list_is_cyclonedx_and_always_the_same() -> None:
    package = samples.plugin(modules=MODULES)
    data = texts.module_list(package)
    document = json.loads(data)
    assert (document["bomFormat"], document["specVersion"], document["version"]) == ("CycloneDX", "1.5", 1)
    assert document["metadata"]["timestamp"] == "2026-09-21T14:13:20Z"
    by_name = {component["name"]: component for component in document["components"]}
    assert list(by_name) == [module.path for module in MODULES]
    assert by_name["example.org/d"]["purl"] == "pkg:golang/example.org/d@v4.0.0%2Bincompatible"
    wheel = samples.plugin(modules=(Module("click", "8.1.7", ecosystem="pypi"),))
    assert json.loads(texts.module_list(wheel))["components"][0]["purl"] == "pkg:pypi/click@8.1.7"
    assert by_name["example.org/a"]["licenses"] == [{"license": {"id": "BSD-3-Clause"}}]
    assert by_name["example.org/e"]["licenses"] == [{"expression": "MIT AND Apache-2.0"}]
    assert "licenses" not in by_name["example.org/f"]
    assert len({component["bom-ref"] for component in document["components"]}) == len(MODULES)
    assert texts.module_list(samples.plugin(modules=tuple(reversed(MODULES)))) == data


@pytest.mark.parametrize("license_", ["Apache-2.0", "MIT OR Apache-2.0", "LicenseRef-Own", "Foo-1.0", "GPL-2.0+"])
def test_the_list_of_modules_is_what_cyclonedx_takes(license_: str) -> None:
    """Judged by the validator and the reader of package addresses that others use."""
    odd = (
        Module("typing-extensions", "1!2.0.post1+local.1", license_, ("2026 A\tB",), "text", ecosystem="pypi"),
        Module("github.com/Azure/go~x", "v1.0.0-rc.1+incompatible", license_, sum="h1:abc="),
    )
    data = texts.module_list(samples.plugin(modules=(*MODULES, *odd), license=license_)).decode()
    assert JsonStrictValidator(SchemaVersion.V1_5).validate_str(data) is None
    for component in json.loads(data)["components"]:
        read = PackageURL.from_string(component["purl"])
        assert read.type == ("pypi" if component["name"] == "typing-extensions" else "golang")
        path = "/".join(filter(None, (read.namespace, read.name)))
        assert (path, read.version) == (component["name"], component["version"])
