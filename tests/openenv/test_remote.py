"""Spaces at servers of OpenEnv: from known models, schemas, data, or as given."""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.spaces import Box, Dict, Discrete, Sequence
from gymnasium.utils.env_checker import check_env

from openenv_gym.env import OpenEnvGym
from openenv_gym.errors import (
    ConnectError,
    EnvironmentFailedError,
    OpenEnvServerWarning,
    OptionError,
    ProtocolError,
    RegistryError,
    SpaceError,
)
from openenv_gym.spaces.describe import describe
from openenv_gym.spaces.utf8 import Utf8
from openenv_gym.trl import environment_factory
from tests.openenv.ours import REMOTE, remote, warned
from tests.openenv.peers import PeerServer, peer_server, requires_peers
from tests.servers import eventually, serving

pytestmark = requires_peers

TEXT = {"type": "Utf8", "max_length": 99}


@pytest.fixture(scope="module")
def server() -> Iterator[PeerServer]:
    with peer_server("tests.openenv.environments:everything") as server:
        yield server


def sources(env: gymnasium.Env[Any, Any]) -> dict[str, str]:
    found: dict[str, str] = env.get_wrapper_attr("space_sources")
    return found


def refused(server: PeerServer, name: str, **keywords: Any) -> SpaceError:
    """The error of an environment that does not describe its Spaces, where no default is wanted."""
    keywords = {"spaces": "strict", **keywords}
    with pytest.warns(OpenEnvServerWarning), pytest.raises(SpaceError) as caught:
        gymnasium.make(REMOTE, url=f"{server.ws_url}/{name}", **keywords)
    return caught.value


class TestKnown:
    def test_models_of_the_id(self, server: PeerServer) -> None:
        with remote(f"{server.ws_url}/connect4", "openenv/Connect4-v0") as env:
            assert env.action_space == Discrete(7)
            assert env.observation_space == Box(-1, 1, (6, 7), np.int8)
            assert sources(env) == {"action.column": "model", "observation.board": "model"}
            _, info = env.reset()
            assert info["action_mask"].tolist() == [1] * 7
            for _ in range(6):
                *_, info = env.step(3)
            assert info["action_mask"].tolist() == [1, 1, 1, 0, 1, 1, 1]

    @pytest.mark.filterwarnings("ignore:.*not within the observation space:UserWarning")
    def test_check_env(self, server: PeerServer) -> None:
        with remote(f"{server.ws_url}/connect4", "openenv/Connect4-v0") as env:
            check_env(env.unwrapped, skip_render_check=True, skip_close_check=True)

    def test_shapes_that_the_servers_options_decide(self, server: PeerServer) -> None:
        with remote(f"{server.ws_url}/screen", "openenv/Atari-v0") as env:
            assert env.action_space == Discrete(6)
            assert env.observation_space == Box(0, 255, (4, 3, 2), np.uint8)
            assert sources(env) == {"action.action_id": "probe", "observation.screen": "probe"}
            screen, info = env.reset()
            assert screen.ravel().tolist() == [*range(24)]
            assert info["lives"] == 3
        with remote(f"{server.ws_url}/board", "openenv/OpenSpiel-v0") as env:
            assert env.action_space == Discrete(5)
            assert env.observation_space == Box(-np.inf, np.inf, (3,), np.float32)
            _, info = env.reset()
            assert info["action_mask"].tolist() == [1, 1, 0, 0, 1]

    def test_an_id_of_a_variant(self, server: PeerServer) -> None:
        """The server has set it up; its state says which it is."""
        with remote(f"{server.ws_url}/game", "openenv/OpenSpiel.catch-v0") as env:
            assert env.action_space == Discrete(5)
            env.reset()
        with remote(f"{server.ws_url}/board", "openenv/OpenSpiel.catch-v0") as env:
            env.reset()  # whose state says nothing
        with (
            pytest.warns(OpenEnvServerWarning),
            pytest.raises(OptionError, match="has game='catch', not 'chess'"),
        ):
            gymnasium.make("openenv/OpenSpiel.chess-v0", url=f"{server.ws_url}/game")

    def test_another_environment_than_the_servers(self, server: PeerServer) -> None:
        with (
            pytest.warns(OpenEnvServerWarning),
            pytest.raises(RegistryError, match=REMOTE) as caught,
        ):
            gymnasium.make("openenv/Chess-v0", url=f"{server.ws_url}/connect4")
        assert caught.value.fields["fields"] == ["column"]

    @pytest.mark.parametrize(
        ("keywords", "said"),
        [
            ({"opponent": "greedy"}, "set up at the server"),
            ({"render_mode": "ansi"}, "cannot render"),
        ],
    )
    def test_what_only_its_owner_can_set(
        self, server: PeerServer, keywords: dict[str, Any], said: str
    ) -> None:
        with pytest.warns(OpenEnvServerWarning), pytest.raises(OptionError, match=said):
            gymnasium.make("openenv/Chess-v0", url=f"{server.ws_url}/chess", **keywords)


class TestUnknown:
    def test_schemas(self, server: PeerServer) -> None:
        with remote(f"{server.ws_url}/nested") as env:
            assert set(sources(env).values()) == {"schema"}
            assert sources(env)["action.by.x"] == "schema"
            here = Discrete(201, start=-100)
            assert env.observation_space["here"] == Dict({"x": here, "y": here})
            seen, _ = env.reset()
            assert env.observation_space.contains(seen)
            check_env(env.unwrapped, skip_render_check=True, skip_close_check=True)

    def test_bounds_of_the_actions_in_data(self, server: PeerServer) -> None:
        with remote(f"{server.ws_url}/control", spaces={"pixels": None}) as env:
            assert env.action_space == Box(
                np.array([-1.0, -2.0]), np.array([1.0, 2.0]), dtype=np.float64
            )
            assert sources(env) == {
                "action.values": "probe",
                "observation.observations.position": "probe",
                "observation.observations.speed": "probe",
            }
            seen, info = env.reset()
            assert seen["speed"].tolist() == [0.25]
            assert info == {"pixels": None}
            seen, *_ = env.step(np.array([0.5, -1.5]))
            assert seen["position"].tolist() == [0.5, -1.5]

    def test_legal_actions_are_a_mask(self, server: PeerServer) -> None:
        left_out = ["game_name", "game_params", "game_phase", "current_player_id"]
        spaces = dict.fromkeys([*left_out, "opponent_last_action"])
        with remote(f"{server.ws_url}/board", spaces=spaces) as env:
            assert env.action_space == Discrete(5)
            assert sources(env)["action.action_id"] == "probe"
            assert env.observation_space == Box(-np.inf, np.inf, (3,), np.float64)
            _, info = env.reset()
            assert info["action_mask"].tolist() == [1, 1, 0, 0, 1]
            assert info["game_phase"] == "playing"
            assert env.unwrapped.action_masks().tolist() == [True, True, False, False, True]

    def test_a_flat_list_has_the_shape_beside_it(self, server: PeerServer) -> None:
        left_out = ["game_name", "obs_type", "full_action_space"]
        left_out += ["lives", "episode_frame_number", "frame_number"]
        spaces = dict.fromkeys(left_out)
        with remote(f"{server.ws_url}/screen", spaces=spaces) as env:
            assert env.observation_space == Box(0, 255, (4, 3, 2), np.uint8)
            screen, _ = env.reset()
            assert screen[3, 2].tolist() == [22, 23]

    def test_one_error_lists_all_that_is_missing(self, server: PeerServer) -> None:
        error = refused(server, "chess")
        listed = ["action.move", "observation.fen", "observation.legal_moves[]"]
        assert error.fields["fields"] == [*listed, "observation.result"]
        for field in listed:
            assert f"\n    {field}: a text without maxLength" in str(error)
        assert '\n    "fen": {"type": "Utf8", "max_length": ...},\n' in str(error)
        again = pickle.loads(pickle.dumps(error))
        assert (str(again), again.fields) == (str(error), error.fields)

    def test_the_error_helps_on(self, server: PeerServer) -> None:
        """What it says to pass, with the dots filled in, is all that is needed."""
        error = refused(server, "connect4")
        advice = str(error).partition("spaces=")[2].partition("\nIn spaces=")[0]
        spaces = eval(advice.replace('"low": ...', '"low": -1').replace('"high": ...', '"high": 1'))
        with remote(f"{server.ws_url}/connect4", spaces=spaces) as env:
            assert env.observation_space == Box(-1, 1, (6, 7), np.int64)

    def test_a_server_tells_its_name(self, server: PeerServer) -> None:
        with remote(f"{server.ws_url}/echo", "openenv/Echo-v0") as env:
            assert env.unwrapped.isolation["url"].startswith(server.ws_url)


class TestDefaults:
    """Without ``spaces=``: episodes of sampled actions, in the Spaces."""

    @pytest.mark.parametrize(
        ("name", "actions", "fields"),
        [
            ("chess", Utf8(65536), {"action.move": "default", "observation.fen": "default"}),
            ("connect4", Discrete(7), {"action.column": "probe", "observation.board": "probe"}),
            ("echo", Utf8(65536), {"observation.message_length": "default"}),
        ],
    )
    def test_an_environment(
        self, server: PeerServer, name: str, actions: Any, fields: dict[str, str]
    ) -> None:
        made = warned(
            lambda: gymnasium.make(REMOTE, url=f"{server.ws_url}/{name}"), 'spaces="strict"'
        )
        with closing(made) as env:
            assert env.action_space == actions
            assert fields.items() <= sources(env).items()
            env.action_space.seed(0)
            seen, _ = env.reset(seed=0)
            assert env.observation_space.contains(seen)

    def test_a_mask_and_fields_that_only_name_the_game(self, server: PeerServer) -> None:
        with remote(f"{server.ws_url}/connect4") as env:
            seen, info = env.reset(seed=0)
            for _ in range(4):
                action = env.action_space.sample(mask=info["action_mask"])
                seen, _, _, _, info = env.step(action)
                assert env.observation_space.contains(seen)

    def test_over_http_too(self, server: PeerServer) -> None:
        with remote(f"{server.url}/echo") as env:
            env.reset()
            assert env.step("Hi!")[0]["echoed_message"] == "Hi!"


class TestGiven:
    def test_by_field(self, server: PeerServer) -> None:
        spaces = {"message": TEXT, "echoed_message": Utf8(99), "message_length": None}
        with remote(f"{server.ws_url}/echo", spaces=spaces) as env:
            assert env.action_space == env.observation_space == Utf8(99)
            assert sources(env) == {
                "action.message": "given",
                "observation.echoed_message": "given",
            }
            env.reset()
            seen, reward, _, _, info = env.step("Hi!")
            assert (seen, reward) == ("Hi!", pytest.approx(0.3))
            assert info == {"original_message": "Hi!", "step": 1, "message_length": 3}

    def test_as_a_whole(self, server: PeerServer) -> None:
        observed = Dict({"echoed_message": Utf8(99), "message_length": Discrete(100)})
        with remote(
            f"{server.ws_url}/echo",
            action_space=Utf8(99),
            observation_space=describe(observed),
        ) as env:
            assert env.action_space == Utf8(99)
            assert env.observation_space == observed
            assert set(sources(env).values()) == {"given"}
            env.reset()
            assert env.step("Hi!")[0] == {"echoed_message": "Hi!", "message_length": 3}

    def test_in_a_list(self, server: PeerServer) -> None:
        texts = ["move", "fen", "legal_moves[]", "result"]
        with remote(f"{server.ws_url}/chess", spaces=dict.fromkeys(texts, TEXT)) as env:
            assert env.observation_space["legal_moves"] == Sequence(Utf8(99))
            seen, _ = env.reset()
            assert len(seen["legal_moves"]) == 20
            assert env.observation_space.contains(seen)

    def test_what_does_not_fit_the_data(self, server: PeerServer) -> None:
        spaces = {"board": describe(Box(0, 1, (6, 7), np.int8))}
        with remote(f"{server.ws_url}/connect4", spaces=spaces) as env:
            env.reset()
            env.step(0)
            with pytest.raises(EnvironmentFailedError, match=r"SpaceError: observation\.board"):
                env.step(0)

    @pytest.mark.parametrize(
        ("keywords", "error", "said"),
        [
            ({"spaces": {"colunm": TEXT}}, OptionError, "It has action.column"),
            ({"spaces": {"column": None}}, OptionError, "no default"),
            (
                {"action_space": TEXT, "observation_space": TEXT},
                OptionError,
                "does not name its field",
            ),
        ],
    )
    def test_what_is_wrong(
        self, server: PeerServer, keywords: dict[str, Any], error: type[Exception], said: str
    ) -> None:
        keywords = {"spaces": {}, **keywords}
        keywords["spaces"] = {
            **({} if "board" in keywords["spaces"] else {"board": describe(Box(-1, 1, (6, 7)))}),
            **keywords["spaces"],
        }
        with pytest.warns(OpenEnvServerWarning), pytest.raises(error, match=said):
            gymnasium.make(REMOTE, url=f"{server.ws_url}/connect4", **keywords)

    @pytest.mark.parametrize("reported", ["Box", {"type": "Ball"}, {"type": "Box", "low": "x"}])
    def test_what_is_no_description(self, server: PeerServer, reported: Any) -> None:
        with pytest.raises((OptionError, SpaceError), match="Space"):
            gymnasium.make(REMOTE, url=f"{server.ws_url}/connect4", spaces={"board": reported})

    @pytest.mark.parametrize("transport", ["websocket", "http"])
    def test_a_server_of_ours_has_its_own(self, transport: str) -> None:
        text = {"type": "Utf8", "max_length": 4096}
        with serving("echo") as served:
            for reported in (
                {"spaces": {"message": text, "observation.echoed_message": text}},
                {"spaces": {"message_length": None}},
                {"action_space": text, "observation_space": Utf8(4096)},
            ):
                with closing(gymnasium.make(REMOTE, url=served.url(transport), **reported)) as env:
                    env.reset()
                    assert env.step("Hello!")[0] == "Hello!"
                    assert sources(env) == {}
            for reported, said in (
                ({"spaces": {"message": TEXT}}, r"action\.message of echo is in the Space .*4096"),
                ({"spaces": {"message": None}}, "is in no Space; but"),
                ({"spaces": {"massage": TEXT}}, r"It has action\.metadata, action\.message"),
                ({"action_space": TEXT}, "action_space= is .*4096.*Leave it out"),
                ({"observation_space": TEXT}, "observation_space= is .*4096"),
            ):
                with pytest.raises(OptionError, match=said):
                    gymnasium.make(REMOTE, url=served.url(transport), **reported)
            eventually(lambda: len(served.sessions) == 0)

    def test_an_environment_of_ours_has_its_own_here_too(self) -> None:
        gymnasium.make("openenv/Echo-v0", spaces={"message": Utf8(4096)}).close()
        with pytest.raises(OptionError, match=r"action\.message of echo"):
            gymnasium.make("openenv/Echo-v0", spaces={"message": TEXT})
        with pytest.raises(OptionError, match=r"not a field of gymnasium. It has none"):
            gymnasium.make("openenv/Gymnasium-v0", env_id="CartPole-v1", spaces={"obs": TEXT})
        with pytest.raises(OptionError, match=r"action\.message"):
            gymnasium.make_vec("openenv/Echo-v0", num_envs=2, spaces={"message": TEXT})

    def test_without_a_server(self) -> None:
        for transport in ("inprocess", "websocket"):
            with pytest.raises(OptionError, match=r"action_space= is .*Leave it out"):
                gymnasium.make("openenv/Echo-v0", transport=transport, action_space=TEXT)


def test_tools_for_trl(server: PeerServer) -> None:
    """A server that renders nothing is not asked to."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", OpenEnvServerWarning)  # of each connection
        environment: Any = environment_factory("connect4", url=f"{server.ws_url}/connect4")()
        assert environment.reset().startswith("board: [[0, 0")
    assert environment.connect4(column=3).startswith("board: [[0, 0")


class TestVector:
    def test_known(self, server: PeerServer) -> None:
        envs = warned(
            lambda: gymnasium.make_vec(
                "openenv/Connect4-v0", num_envs=2, url=f"{server.ws_url}/connect4"
            )
        )
        try:
            seen, infos = envs.reset(seed=1)
            assert seen.shape == (2, 6, 7)
            seen, *_ = envs.step(np.array([0, 6]))
            assert seen[0, 5].tolist() != seen[1, 5].tolist()
            assert infos["action_mask"].shape == (2, 7)
        finally:
            envs.close()

    def test_unknown_with_workers(self, server: PeerServer) -> None:
        with pytest.warns(OpenEnvServerWarning):
            envs = gymnasium.make_vec(
                REMOTE,
                num_envs=4,
                workers=2,
                url=f"{server.ws_url}/connect4",
                spaces={"board": describe(Box(-1, 1, (6, 7), np.int8))},
            )
        try:
            envs.reset()
            for columns in ([0, 1, 2, 3], [0, 1, 2, 3]):
                seen, *_ = envs.step(np.array(columns))
            assert [np.flatnonzero(board).tolist() for board in seen] == [
                [28 + column, 35 + column] for column in range(4)
            ]
        finally:
            envs.close()


class TestServers:
    def test_no_word_of_openenv(self, server: PeerServer) -> None:
        with pytest.raises((ConnectError, ProtocolError), match="not an openenv-gym"):
            gymnasium.make(REMOTE, url=f"{server.ws_url}/nothing")

    def test_an_address_for_http_is_taken_by_websocket(self, server: PeerServer) -> None:
        with remote(f"{server.url}/nested") as env:
            env.action_space.seed(0)
            first, _ = env.reset(seed=1)
            assert env.observation_space.contains(env.step(env.action_space.sample())[0])
        with remote(f"{server.url}/nested", transport="http") as env:
            assert str(env.reset(seed=1)[0]) == str(first)

    def test_without_a_url(self) -> None:
        with pytest.raises(OptionError):
            gymnasium.make(REMOTE)
        with pytest.raises(OptionError, match="must be named"):
            gymnasium.make(REMOTE, transport="websocket")

    def test_a_server_of_ours(self) -> None:
        with serving("connect4") as served:
            env = gymnasium.make(REMOTE, url=served.url("http"))
            assert env.action_space == Discrete(7)
            assert sources(env) == {}
            env.close()

    def test_timing(self, server: PeerServer) -> None:
        env = warned(lambda: OpenEnvGym("connect4", url=f"{server.ws_url}/connect4", timing=True))
        try:
            env.reset()
            env.step(0)
            assert env.last_timing is not None
            assert env.last_timing.wire > 0
        finally:
            env.close()
