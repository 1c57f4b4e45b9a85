"""Manifests of sequences: CSV files and folders."""

from pathlib import Path

import pytest

from jobs.core.errors import JobError
from jobs.core.manifest import entries


def make_files(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


def rows_of(root: Path) -> list[tuple[str, str, str, str]]:
    return [
        (
            entry.name,
            str(Path(entry.stream).relative_to(root)),
            str(Path(entry.originals).relative_to(root)),
            entry.split,
        )
        for entry in entries(root if not (root / "list.csv").exists() else root / "list.csv")
    ]


def test_a_csv_file_names_streams_originals_and_splits(tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text(
        "\ufeffstream, originals,split\na/s.264,a/o,train\n\nb.mp4,b.y4m,\n", encoding="utf-8"
    )
    assert rows_of(tmp_path) == [("", "a/s.264", "a/o", "train"), ("", "b.mp4", "b.y4m", "")]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("name,path\na,b\n", "The first line of list.csv must name the columns stream,originals"),
        ("stream,originals\na\n", "Line 2 of list.csv must have a stream and its originals"),
        (
            "stream,originals,split\na,b,validation\n",
            "Line 2 of list.csv: the split is “validation”",
        ),
        ("stream,originals\na,b,c\n", "Line 2 of list.csv must have .* no more columns"),
        ("", "must name the columns"),
        ("stream,originals\n", "list.csv contains no sequence"),
    ],
)
def test_errors_in_a_csv_file_name_the_line(text: str, sentence: str, tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text(text)
    with pytest.raises(JobError, match=sentence):
        entries(tmp_path / "list.csv")


def test_a_binary_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_bytes(b"\xff\xfe\x00\x81")
    with pytest.raises(JobError, match="not CSV text"):
        entries(tmp_path / "list.csv")


def test_sub_folders_with_streams_and_their_originals(tmp_path: Path) -> None:
    make_files(
        tmp_path,
        "seq10/s.264",
        "seq10/frames/0.png",
        "seq2/s_qp22.264",
        "seq2/s_qp37.264",
        "seq2/0.png",
        "seq3/a.264",
        "seq3/a.y4m",
    )
    assert rows_of(tmp_path) == [
        ("seq2/s_qp22", "seq2/s_qp22.264", "seq2", ""),
        ("seq2/s_qp37", "seq2/s_qp37.264", "seq2", ""),
        ("seq3", "seq3/a.264", "seq3/a.y4m", ""),
        ("seq10", "seq10/s.264", "seq10/frames", ""),
    ]


def test_streams_next_to_originals_of_the_same_name(tmp_path: Path) -> None:
    make_files(tmp_path, "a.264", "a/0.png", "b.h264", "b.y4m", "alone.264")
    assert rows_of(tmp_path) == [("a", "a.264", "a", ""), ("b", "b.h264", "b.y4m", "")]


def test_an_ambiguous_sub_folder_is_refused_by_name(tmp_path: Path) -> None:
    make_files(tmp_path, "seq/s.264", "seq/one/0.png", "seq/two/0.png")
    with pytest.raises(
        JobError, match="The folder seq has a stream, but not exactly one set of originals"
    ):
        entries(tmp_path)
