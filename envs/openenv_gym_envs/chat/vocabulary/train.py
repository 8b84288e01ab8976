"""Makes ``tokenizer.json``, the default tokenizer: a byte-level BPE that loses nothing.

    python -m openenv_gym_envs.chat.vocabulary.train

It is trained on what is beside it and ours: ``dialogues.txt``, and ``manual.txt``, a README of this
project as it was when the tokenizer was made. The same texts give the same file.
"""

from __future__ import annotations

from pathlib import Path

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

HERE = Path(__file__).parent
FILE = HERE / "tokenizer.json"
SIZE = 2048
SPECIAL = ["<|im_start|>", "<|im_end|>", "<|endoftext|>"]


def train() -> str:
    """The tokenizer as JSON."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    texts = [(HERE / name).read_text("utf-8") for name in ("dialogues.txt", "manual.txt")]
    trainer = trainers.BpeTrainer(
        vocab_size=SIZE,
        special_tokens=SPECIAL,
        # Every byte has a token, so that every text has some.
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    made: str = tokenizer.to_str()
    return made + "\n"


if __name__ == "__main__":
    FILE.write_text(train(), "utf-8")
