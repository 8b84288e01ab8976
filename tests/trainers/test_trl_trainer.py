"""TRL: its GRPOTrainer with our environments, with TRL's own code, without training."""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from openenv_gym.trl import environment_factory
from tests.trainers.rover import ROVER, tools

# Of TRL and what it stands on, about themselves.
quiet = pytest.mark.filterwarnings("ignore")


@quiet
@pytest.mark.parametrize(
    "id", ["openenv/Connect4-v0", "openenv/Echo-v0", "openenv/Chess-v0", ROVER]
)
def test_transformers_makes_a_schema_of_each_tool(id: str) -> None:
    from transformers.utils import get_json_schema

    for name, tool in tools(environment_factory(id)()).items():
        schema = get_json_schema(tool)["function"]
        assert schema["name"] == name
        assert schema["description"]
        assert all(
            reported["description"] and "type" in reported
            for reported in schema["parameters"]["properties"].values()
        )
    if id == "openenv/Connect4-v0":
        assert schema["parameters"] == {
            "type": "object",
            "properties": {
                "column": {
                    "type": "integer",
                    "description": "The column, 0 (left) to 6 (right). From 0 to 6.",
                }
            },
            "required": ["column"],
        }


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    """One token a byte, and the tokens of the chat template of Qwen3."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

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


@pytest.fixture
def trainer(tokenizer: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A trainer of a tiny model that was never trained."""
    monkeypatch.setenv("TRL_EXPERIMENTAL_SILENCE", "1")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    from datasets import Dataset
    from transformers import Qwen3Config, Qwen3ForCausalLM
    from trl import GRPOConfig, GRPOTrainer

    config = Qwen3Config(
        vocab_size=len(tokenizer),
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=8,
        max_position_embeddings=16384,
    )
    row = {"prompt": [{"role": "user", "content": "Win this game.\n"}], "seed": 3}
    return GRPOTrainer(
        model=Qwen3ForCausalLM(config),
        processing_class=tokenizer,
        train_dataset=Dataset.from_list([row] * 2),
        environment_factory=environment_factory(
            "openenv/Connect4-v0", opponent="random", tool="drop_piece"
        ),
        args=GRPOConfig(
            output_dir=str(tmp_path),
            use_cpu=True,
            bf16=False,
            report_to=[],
            per_device_train_batch_size=2,
            num_generations=2,
            max_completion_length=8192,
            chat_template_kwargs={"enable_thinking": False},
        ),
    )


@quiet
def test_rollouts_of_grpo_trainer(trainer: Any, tokenizer: Any) -> None:
    """All of TRL but the model's words and the update: tools found, called, and rewarded."""
    assert [tool.__name__ for tool in trainer.tools] == ["drop_piece"]
    columns = iter([(3, 9), (3, 0), (3, 0), (3, 0), (None, None)])

    def words(prompts: list[Any], *_: Any, **__: Any) -> tuple[list[Any], None]:
        said = []
        for column in next(columns)[: len(prompts)]:
            call = json.dumps({"name": "drop_piece", "arguments": {"column": column}})
            text = "Done." if column is None else f"<tool_call>\n{call}\n</tool_call>"
            said.append(tokenizer.encode(f"{text}<|im_end|>"))
        return said, None

    trainer._generate_single_turn = words
    rows = list(trainer.train_dataset)
    scored = trainer._generate_and_score_completions(rows)

    won, other = trainer.environments
    assert (won.reward, won.done) == (1.0, True)
    assert (other.reward, other.done) == (0.0, False)
    assert list(trainer._logs["rewards"]["Connect4Env"]) == [1.0, 0.0]
    assert scored["advantages"][0] > 0 > scored["advantages"][1]
    prompt = tokenizer.decode(scored["prompt_ids"][0])
    assert '"description": "Drops a piece."' in prompt
    assert "Win this game.\n. . . . . . ." in prompt
    first, second = (tokenizer.decode(ids) for ids in scored["completion_ids"])
    assert "game over" in first
    assert "The episode is over." in first
    assert "The action 9 (int) is not in the action space Discrete(7)" in second
