from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import (
    AddedToken,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    trainers,
)

import openenv_gym  # noqa: F401  # registers the ids
from openenv_gym.errors import OptionError
from openenv_gym_envs.chat.template import CHATML, ChatTemplate, Part
from openenv_gym_envs.chat.tokenizer import ChatTokenizer, load
from openenv_gym_envs.chat.vocabulary import train

ID = "openenv/Chat-v0"
DEFAULT = load().tokenizer


def test_script_makes_the_file() -> None:
    made = train.train()
    assert json.loads(made) == json.loads(train.FILE.read_text("utf-8"))
    assert made == train.FILE.read_text("utf-8")


def test_default() -> None:
    assert DEFAULT.size == train.SIZE
    assert [*DEFAULT.special] == train.SPECIAL
    assert len(DEFAULT.encode("Hello! How are you today?")) < 8


@given(st.text())
@settings(max_examples=500, deadline=None)
def test_every_text_comes_back(text: str) -> None:
    numbers = DEFAULT.encode(text)
    assert DEFAULT.decode(numbers) == text
    assert all(3 <= number < DEFAULT.size for number in numbers)


@pytest.mark.parametrize("text", [*train.SPECIAL, "a<|im_end|>b", "<|im_start|><|im_start|>"])
def test_text_of_special_tokens_comes_back(text: str) -> None:
    assert DEFAULT.decode(DEFAULT.encode(text)) == text
    assert not set(DEFAULT.encode(text)) & set(DEFAULT.special.values())
    assert set(DEFAULT.encode_template(text)) & set(DEFAULT.special.values())


def byte_tokens() -> dict[int, int]:
    """The token of each byte, by the alphabet in which byte-level tokenizers write bytes."""
    vocabulary = Tokenizer.from_str(train.FILE.read_text("utf-8")).get_vocab()
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    alphabet = {byte: chr(byte) for byte in printable}
    alphabet |= {byte: chr(256 + place) for place, byte in enumerate(others)}
    return {byte: vocabulary[character] for byte, character in alphabet.items()}


BYTES = byte_tokens()


@given(st.binary(max_size=200))
@settings(max_examples=300, deadline=None)
def test_every_byte_string_has_tokens(data: bytes) -> None:
    """A token for each byte, all different; what is no UTF-8 reads as U+FFFD, and only that."""
    assert len(set(BYTES.values())) == 256
    assert DEFAULT.decode([BYTES[byte] for byte in data]) == data.decode("utf-8", "replace")


@given(st.text(), st.text())
@settings(max_examples=200, deadline=None)
def test_parts_of_a_message(before: str, after: str) -> None:
    """Whatever it is, the template's own text is told from it, and nothing is lost."""
    content = before + "<|im_end|>" + after
    parts = ChatTemplate(CHATML, {}).parts({"role": "user", "content": content})
    assert "".join(part.text for part in parts) == f"<|im_start|>user\n{content}<|im_end|>\n"
    written = "".join(part.text for part in parts if part.content)
    assert written.strip() == content.strip()
    numbers = DEFAULT.encode_parts(parts)
    assert [number for number in numbers if number < 3] == [0, 1]
    assert DEFAULT.decode(numbers, special=True) == "".join(part.text for part in parts)


def test_characters_that_mark_the_parts_may_be_written() -> None:
    content = "".join(map(chr, range(0xF0000, 0xF0010)))
    parts = ChatTemplate(CHATML, {}).parts({"role": "user", "content": content})
    assert Part(content, True) in parts


def test_template_that_cuts_white_space_off() -> None:
    template = ChatTemplate("[{{ messages[0].content | trim }}]", {})
    parts = template.parts({"role": "user", "content": " \n x y \t"})
    assert parts == [Part("[", False), Part("x y", True), Part("]", False)]


def test_template_that_writes_json_and_variables() -> None:
    template = ChatTemplate("{{ bos_token }}{{ messages | tojson }}", {"bos_token": "<s>"})
    text = template.render([{"role": "user", "content": "é<"}])
    assert text == '<s>[{"role": "user", "content": "é<"}]'


def made(specials: list[str], **pieces: Any) -> Tokenizer:
    """A tokenizer of the user's own."""
    tokenizer = Tokenizer(models.BPE())
    for name, piece in pieces.items():
        setattr(tokenizer, name, piece)
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=300,
        special_tokens=specials,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(["Hello there"], trainer)
    return tokenizer


def test_tokenizer_of_a_file(tmp_path: Path) -> None:
    file = tmp_path / "own.json"
    tokenizer = made(["<s>", "</s>"])
    tokenizer.enable_padding(length=50)
    tokenizer.enable_truncation(3)
    tokenizer.save(str(file))
    with pytest.raises(OptionError, match="template of its model by chat_template="):
        gymnasium.make(ID, tokenizer=str(file))
    template = "{% for m in messages %}<s>{{ m.content }}</s>{% endfor %}"
    options = {"tokenizer": str(file), "chat_template": template, "mode": "text"}
    env = gymnasium.make(ID, **options)
    env.reset()
    observation, *_, info = env.step("Hello</s>there, all of you")
    assert observation == "<s>Hello</s>there, all of you</s>"
    assert [number for number in info["tokens"] if number < 2] == [0, 1]
    assert env.metadata["special"] == {"<s>": 0, "</s>": 1}
    env.close()
    env = gymnasium.make(ID, tokenizer=str(file), chat_template=template)
    assert env.action_space.feature_space.n == env.metadata["vocabulary"] < 400
    env.close()


def test_special_tokens_cannot_be_forged_by_what_a_normalizer_makes_of_a_text() -> None:
    own = made(["<S>"], normalizer=normalizers.Lowercase())
    own.add_special_tokens([AddedToken("<T>", normalized=True)])
    tokenizer = ChatTokenizer(own)
    assert tokenizer.special["<T>"] in tokenizer.encode_template("<t>")
    parts = [Part("<S><T>", False), Part("<s> <S> <t> <T>", True), Part("<T>", False)]
    numbers = tokenizer.encode_parts(parts)
    assert numbers.count(tokenizer.special["<S>"]) == 1
    assert numbers.count(tokenizer.special["<T>"]) == 2


@pytest.mark.parametrize("text", ["no json", "{}", '{"model": {"type": "none"}}'])
def test_file_that_is_no_tokenizer(text: str, tmp_path: Path) -> None:
    file = tmp_path / "wrong.json"
    file.write_text(text)
    with pytest.raises(OptionError, match="not a valid file of the library tokenizers"):
        gymnasium.make(ID, tokenizer=str(file))


def test_tokenizer_of_transformers(tmp_path: Path) -> None:
    """From a folder, as from its cache: with its own template and special tokens."""
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")
    fast = transformers.PreTrainedTokenizerFast(
        tokenizer_object=made(["<s>", "</s>"]), bos_token="<s>", eos_token="</s>"
    )
    fast.chat_template = (
        "{{ bos_token }}{% for m in messages %}{{ m.content }}{{ eos_token }}{% endfor %}"
    )
    fast.save_pretrained(tmp_path)
    conversation = [{"role": "system", "content": "Hello there"}]
    theirs = fast.apply_chat_template(conversation, tokenize=True, return_dict=False)
    env = gymnasium.make(ID, tokenizer=str(tmp_path), system_prompt="Hello there")
    observation, _ = env.reset()
    assert observation["tokens"].tolist() == theirs
    observation, *_ = env.step(np.array(theirs))
    assert observation["messages"][-1]["content"] == "Hello there"
    env.close()
