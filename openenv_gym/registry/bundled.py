"""The bundled environments, by name. Written by ``make generate`` from their ``openenv.yaml``."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from openenv_gym.registry.manifest import Entry, bundled_entry

# fmt: off
_MANIFESTS: list[dict[str, Any]] = \
[{'name': 'atari',
  'environment': 'openenv_gym_envs.atari.environment:AtariEnvironment',
  'id': 'openenv/Atari-v0',
  'extra': 'atari',
  'description': 'More than a hundred games of the Atari 2600, by the Arcade Learning Environment.',
  'variants': [{'options': {'game': '{}'},
                'values': 'adventure air_raid alien amidar assault asterix asteroids atlantis '
                          'atlantis2 backgammon bank_heist basic_math battle_zone beam_rider '
                          'berzerk blackjack bowling boxing breakout carnival casino centipede '
                          'chopper_command crazy_climber crossbow darkchambers defender '
                          'demon_attack donkey_kong double_dunk earthworld elevator_action enduro '
                          'entombed et fishing_derby flag_capture freeway frogger frostbite '
                          'galaxian gopher gravitar hangman haunted_house hero human_cannonball '
                          'ice_hockey jamesbond journey_escape kaboom kangaroo keystone_kapers '
                          'king_kong klax koolaid krull kung_fu_master laser_gates lost_luggage '
                          'mario_bros miniature_golf montezuma_revenge mr_do ms_pacman '
                          'name_this_game othello pacman phoenix pitfall pitfall2 pong pooyan '
                          'private_eye qbert riverraid road_runner robotank seaquest sir_lancelot '
                          'skiing solaris space_invaders space_war star_gunner superman surround '
                          'tennis tetris tic_tac_toe_3d time_pilot trondead turmoil tutankham '
                          'up_n_down venture video_checkers video_chess video_cube video_pinball '
                          'wizard_of_wor word_zapper yars_revenge zaxxon'}]},
 {'name': 'browsergym',
  'environment': 'openenv_gym_envs.browsergym.environment:BrowserGymEnvironment',
  'id': 'openenv/BrowserGym-v0',
  'extra': 'browsergym',
  'description': 'Tasks for agents that use a browser; the 125 of MiniWoB++ run offline.',
  'variants': [{'name': 'miniwob.{}',
                'options': {'benchmark': 'miniwob', 'task': '{}'},
                'values': 'ascending-numbers bisect-angle book-flight book-flight-nodelay '
                          'buy-ticket choose-date choose-date-easy choose-date-medium '
                          'choose-date-nodelay choose-list circle-center click-button '
                          'click-button-sequence click-checkboxes click-checkboxes-large '
                          'click-checkboxes-soft click-checkboxes-transfer click-collapsible '
                          'click-collapsible-2 click-collapsible-2-nodelay '
                          'click-collapsible-nodelay click-color click-dialog click-dialog-2 '
                          'click-link click-menu click-menu-2 click-option click-pie '
                          'click-pie-nodelay click-scroll-list click-shades click-shape click-tab '
                          'click-tab-2 click-tab-2-easy click-tab-2-hard click-tab-2-medium '
                          'click-test click-test-2 click-test-transfer click-widget copy-paste '
                          'copy-paste-2 count-shape count-sides daily-calendar drag-box '
                          'drag-circle drag-cube drag-items drag-items-grid drag-shapes '
                          'drag-shapes-2 drag-single-shape drag-sort-numbers draw-circle draw-line '
                          'email-inbox email-inbox-delete email-inbox-forward '
                          'email-inbox-forward-nl email-inbox-forward-nl-turk '
                          'email-inbox-important email-inbox-nl-turk email-inbox-noscroll '
                          'email-inbox-reply email-inbox-star-reply enter-date enter-password '
                          'enter-text enter-text-2 enter-text-dynamic enter-time find-greatest '
                          'find-midpoint find-word focus-text focus-text-2 form-sequence '
                          'form-sequence-2 form-sequence-3 generate-number grid-coordinate '
                          'guess-number highlight-text highlight-text-2 hot-cold identify-shape '
                          'login-user login-user-popup multi-layouts multi-orderings navigate-tree '
                          'number-checkboxes odd-or-even order-food phone-book read-table '
                          'read-table-2 resize-textarea right-angle scroll-text scroll-text-2 '
                          'search-engine sign-agreement simple-algebra simple-arithmetic '
                          'social-media social-media-all social-media-some stock-market terminal '
                          'text-editor text-transform tic-tac-toe unicode-test use-autocomplete '
                          'use-autocomplete-nodelay use-colorwheel use-colorwheel-2 use-slider '
                          'use-slider-2 use-spinner visual-addition'},
               {'options': {'benchmark': '{}'}, 'values': 'webarena visualwebarena workarena'}],
  'docker': {'packages': ['chromium-headless-shell', 'fonts-dejavu-core'],
             'memory': '2g',
             'pids': 512,
             'tmpfs': {'/tmp': '256m'}}},
 {'name': 'chat',
  'environment': 'openenv_gym_envs.chat.environment:make',
  'id': 'openenv/Chat-v0',
  'extra': 'chat',
  'description': 'A conversation in tokens or text, with any tokenizer and chat template.'},
 {'name': 'chess',
  'environment': 'openenv_gym_envs.chess.environment:ChessEnvironment',
  'id': 'openenv/Chess-v0',
  'extra': 'chess',
  'description': 'Chess against a random, a greedy or a Stockfish opponent, or on both sides.',
  'docker': {'packages': ['stockfish']}},
 {'name': 'coding',
  'environment': 'openenv_gym_envs.coding.environment:CodingEnvironment',
  'id': 'openenv/Coding-v0',
  'extra': 'coding',
  'description': 'Python code in, its output out, run in a sandbox.',
  'docker': {'packages': ['bubblewrap']}},
 {'name': 'connect4',
  'environment': 'openenv_gym_envs.connect4.environment:Connect4Environment',
  'id': 'openenv/Connect4-v0',
  'extra': 'connect4',
  'description': 'Four in a row, alone on both sides or against a random or a minimax opponent.'},
 {'name': 'dipg',
  'environment': 'openenv_gym_envs.dipg.environment:DIPGEnvironment',
  'id': 'openenv/DIPGSafety-v0',
  'extra': 'dipg',
  'description': 'Answers to questions about medical texts, graded for what they can prove.'},
 {'name': 'echo',
  'environment': 'openenv_gym_envs.echo.environment:EchoEnvironment',
  'id': 'openenv/Echo-v0',
  'extra': 'echo',
  'description': 'The message comes back, and each of its characters is worth 0.1.'},
 {'name': 'finrl',
  'environment': 'openenv_gym_envs.finrl.environment:FinRLEnvironment',
  'id': 'openenv/FinRL-v0',
  'extra': 'finrl',
  'description': "Trading shares day by day, with FinRL's own rules, on real prices."},
 {'name': 'git',
  'environment': 'openenv_gym_envs.git.environment:GitEnvironment',
  'id': 'openenv/Git-v0',
  'extra': 'git',
  'description': 'Git commands on repositories of a server, and tasks to do with them.',
  'docker': {'packages': ['bubblewrap', 'git']}},
 {'name': 'gymnasium',
  'environment': 'openenv_gym_envs.gymnasium.environment:make',
  'id': 'openenv/Gymnasium-v0',
  'extra': 'gymnasium',
  'description': 'Any registered gymnasium environment, isolated.'},
 {'name': 'openspiel',
  'environment': 'openenv_gym_envs.openspiel.environment:OpenSpielEnvironment',
  'id': 'openenv/OpenSpiel-v0',
  'extra': 'openspiel',
  'description': 'Any game of OpenSpiel against random, fixed or MCTS opponents, or in all seats.',
  'variants': [{'options': {'game': '{}'},
                'values': '2048 amazons antichess backgammon banqi bargaining battleship blackjack '
                          'blotto breakthrough bridge bridge_uncontested_bidding capture_the_flag '
                          'catch checkers chess chinese_checkers cliff_walking clobber coin_game '
                          'colored_trails connect_four coop_box_pushing coordinated_mp '
                          'crazy_eights crazyhouse cribbage cursor_go dark_chess dark_hex '
                          'dark_hex_ir deep_sea dots_and_boxes dou_dizhu einstein_wurfelt_nicht '
                          'euchre first_sealed_auction gin_rummy go go_fish gomoku goofspiel '
                          'hanabi havannah hearts hex hive kriegspiel kuhn_poker laser_tag '
                          'latent_ttt leduc_poker lewis_signaling liars_dice liars_dice_ir '
                          'lines_of_action maedn mancala markov_soccer matching_pennies_3p '
                          'matrix_bos matrix_brps matrix_cd matrix_coordination matrix_mp '
                          'matrix_pd matrix_rps matrix_rpsw matrix_sh matrix_shapleys_game '
                          'mfg_crowd_modelling mfg_crowd_modelling_2d mfg_dynamic_routing '
                          'mfg_garnet mnk morpion_solitaire negotiation nim nine_mens_morris '
                          'oh_hell oshi_zumo othello oware pathfinding pentago phantom_go '
                          'phantom_ttt phantom_ttt_ir pig python_ant_foraging '
                          'python_block_dominoes python_dynamic_routing python_hangman '
                          'python_iterated_prisoners_dilemma python_kuhn_poker python_liars_poker '
                          'python_team_dominoes python_tic_tac_toe quoridor rbc '
                          'repeated_leduc_poker sheriff shogi skat snake social_deduction '
                          'solitaire spades stones_and_gems tarok tic_tac_toe tiny_bridge_2p '
                          'tiny_bridge_4p tiny_hanabi trade_comm twixt ultimate_tic_tac_toe '
                          'universal_poker xiangqi y yacht'}]},
 {'name': 'sumo',
  'environment': 'openenv_gym_envs.sumo.environment:make',
  'id': 'openenv/SumoRL-v0',
  'extra': 'sumo',
  'description': 'Traffic lights of one junction, or of all, in the simulator SUMO.',
  'docker': {'packages': ['libatomic1',
                          'libexpat1',
                          'libgl1',
                          'libx11-6',
                          'libxext6',
                          'libxrender1']}},
 {'name': 'textarena',
  'environment': 'openenv_gym_envs.textarena.environment:TextArenaEnvironment',
  'id': 'openenv/TextArena-v0',
  'extra': 'textarena',
  'description': 'Word games, puzzles and board games of TextArena in plain text.',
  'variants': [{'options': {'env_id': '{}-v0'},
                'values': '2048 Bandit Blackjack Countdown Crosswords Cryptarithm FifteenPuzzle '
                          'FrozenLake GuessTheNumber Hangman LightsOut LogicPuzzle Mastermind '
                          'Minesweeper PegJump RushHour Secretary Set Slitherlink Sokoban Sudoku '
                          'ThreeCardMonte TowerOfHanoi WordLadder WordSearch Wordle'}]}]
# fmt: on

ENVIRONMENTS: Mapping[str, Entry] = MappingProxyType(
    {manifest["name"]: bundled_entry(manifest) for manifest in _MANIFESTS}
)
"""Environments that come with the package, by short name."""
