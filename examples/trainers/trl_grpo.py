"""TRL: ``GRPOTrainer`` trains a tiny model, made here from a config, with an environment's tools.

    OPENENV_GYM_TRANSPORT=process python examples/trainers/trl_grpo.py
    python examples/trainers/trl_grpo.py --id openenv/OpenSpiel.blackjack-v0

The reward is the environment's, which TRL asks for itself. What this model writes is noise and
wins no game, so that a second reward, for small letters, gives it something to learn. A real run
has ``model="Qwen/Qwen3-0.6B"``, and neither that reward nor a tokenizer of its own.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from importlib import resources
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")  # nothing here comes from a hub
os.environ.setdefault("TRL_EXPERIMENTAL_SILENCE", "1")

import torch
from datasets import Dataset
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast, Qwen3Config, Qwen3ForCausalLM
from trl import GRPOConfig, GRPOTrainer

from openenv_gym.trl import environment_factory

UPDATES = 2


def byte_tokenizer() -> Any:
    """Return a tokenizer of one token a byte, with the chat template of Qwen3."""
    words = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    words += sorted(pre_tokenizers.ByteLevel.alphabet())
    core = Tokenizer(models.BPE(vocab={word: n for n, word in enumerate(words)}, merges=[]))
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    made = PreTrainedTokenizerFast(
        tokenizer_object=core,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        extra_special_tokens=["<|im_start|>"],
    )
    template = resources.files("trl") / "chat_templates" / "qwen3.jinja"
    made.chat_template = template.read_text()
    return made


def tiny_model(tokens: int) -> Any:
    """Return a model of one layer that was never trained."""
    config = Qwen3Config(
        vocab_size=tokens,
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=8,
        max_position_embeddings=4096,
    )
    return Qwen3ForCausalLM(config)


def small_letters(completions: Any, **_: Any) -> list[float]:
    """Return the part of each completion that is small letters."""
    texts = ["".join(str(message["content"]) for message in each) for each in completions]
    return [sum(letter.islower() for letter in text) / max(1, len(text)) for text in texts]


def main() -> None:
    """Train for a few updates."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--id", default="openenv/Connect4-v0", help="the game (%(default)s)")
    id = parser.parse_args().id
    torch.manual_seed(0)
    torch.set_num_threads(1)
    tokenizer = byte_tokenizer()
    model = tiny_model(len(tokenizer))
    before = [weights.detach().clone() for weights in model.parameters()]
    row = {"prompt": [{"role": "user", "content": "Win this game.\n"}], "seed": 3}
    with tempfile.TemporaryDirectory() as folder:
        trainer = GRPOTrainer(
            model=model,
            processing_class=tokenizer,
            reward_funcs=small_letters,
            train_dataset=Dataset.from_list([row] * 2),
            environment_factory=environment_factory(id, opponent="random"),
            args=GRPOConfig(
                output_dir=folder,
                use_cpu=True,
                bf16=False,
                report_to=[],
                save_strategy="no",
                disable_tqdm=True,
                max_steps=UPDATES,
                per_device_train_batch_size=2,
                num_generations=2,
                max_completion_length=16,
                chat_template_kwargs={"enable_thinking": False},
            ),
        )
        trainer.train()
    print(f"{trainer.state.global_step} updates of GRPO")
    assert trainer.state.global_step == UPDATES
    after = model.parameters()
    assert any((one != other).any() for one, other in zip(before, after, strict=True))


if __name__ == "__main__":
    main()
