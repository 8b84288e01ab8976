"""Variants of the bundled environments: the names behind ids like ``openenv/Atari.pong-v0``.

Strings only, so that ``import openenv_gym`` can register an id for each without loading what they
are played with. The tests of each environment hold that its list is true.
"""

from __future__ import annotations

_ATARI = """
    adventure air_raid alien amidar assault asterix asteroids atlantis atlantis2 backgammon
    bank_heist basic_math battle_zone beam_rider berzerk blackjack bowling boxing breakout
    carnival casino centipede chopper_command crazy_climber crossbow darkchambers defender
    demon_attack donkey_kong double_dunk earthworld elevator_action enduro entombed et
    fishing_derby flag_capture freeway frogger frostbite galaxian gopher gravitar hangman
    haunted_house hero human_cannonball ice_hockey jamesbond journey_escape kaboom kangaroo
    keystone_kapers king_kong klax koolaid krull kung_fu_master laser_gates lost_luggage
    mario_bros miniature_golf montezuma_revenge mr_do ms_pacman name_this_game othello pacman
    phoenix pitfall pitfall2 pong pooyan private_eye qbert riverraid road_runner robotank seaquest
    sir_lancelot skiing solaris space_invaders space_war star_gunner superman surround tennis
    tetris tic_tac_toe_3d time_pilot trondead turmoil tutankham up_n_down venture video_checkers
    video_chess video_cube video_pinball wizard_of_wor word_zapper yars_revenge zaxxon
"""

ATARI = {game: {"game": game} for game in _ATARI.split()}
"""Every game in ale-py that one can play alone."""

_MINIWOB = """
    ascending-numbers bisect-angle book-flight book-flight-nodelay buy-ticket choose-date
    choose-date-easy choose-date-medium choose-date-nodelay choose-list circle-center
    click-button click-button-sequence click-checkboxes click-checkboxes-large
    click-checkboxes-soft click-checkboxes-transfer click-collapsible click-collapsible-2
    click-collapsible-2-nodelay click-collapsible-nodelay click-color click-dialog
    click-dialog-2 click-link click-menu click-menu-2 click-option click-pie click-pie-nodelay
    click-scroll-list click-shades click-shape click-tab click-tab-2 click-tab-2-easy
    click-tab-2-hard click-tab-2-medium click-test click-test-2 click-test-transfer click-widget
    copy-paste copy-paste-2 count-shape count-sides daily-calendar drag-box drag-circle
    drag-cube drag-items drag-items-grid drag-shapes drag-shapes-2 drag-single-shape
    drag-sort-numbers draw-circle draw-line email-inbox email-inbox-delete email-inbox-forward
    email-inbox-forward-nl email-inbox-forward-nl-turk email-inbox-important email-inbox-nl-turk
    email-inbox-noscroll email-inbox-reply email-inbox-star-reply enter-date enter-password
    enter-text enter-text-2 enter-text-dynamic enter-time find-greatest find-midpoint find-word
    focus-text focus-text-2 form-sequence form-sequence-2 form-sequence-3 generate-number
    grid-coordinate guess-number highlight-text highlight-text-2 hot-cold identify-shape
    login-user login-user-popup multi-layouts multi-orderings navigate-tree number-checkboxes
    odd-or-even order-food phone-book read-table read-table-2 resize-textarea right-angle
    scroll-text scroll-text-2 search-engine sign-agreement simple-algebra simple-arithmetic
    social-media social-media-all social-media-some stock-market terminal text-editor
    text-transform tic-tac-toe unicode-test use-autocomplete use-autocomplete-nodelay
    use-colorwheel use-colorwheel-2 use-slider use-slider-2 use-spinner visual-addition
"""

BROWSERGYM = {
    **{f"miniwob.{task}": {"benchmark": "miniwob", "task": task} for task in _MINIWOB.split()},
    **{name: {"benchmark": name} for name in ("webarena", "visualwebarena", "workarena")},
}
"""Every task of MiniWoB++, and the benchmarks that need sites of their own."""

_OPENSPIEL = """
    2048 amazons antichess backgammon banqi bargaining battleship blackjack blotto breakthrough
    bridge bridge_uncontested_bidding capture_the_flag catch checkers chess chinese_checkers
    cliff_walking clobber coin_game colored_trails connect_four coop_box_pushing coordinated_mp
    crazy_eights crazyhouse cribbage cursor_go dark_chess dark_hex dark_hex_ir deep_sea
    dots_and_boxes dou_dizhu einstein_wurfelt_nicht euchre first_sealed_auction gin_rummy go
    go_fish gomoku goofspiel hanabi havannah hearts hex hive kriegspiel kuhn_poker laser_tag
    latent_ttt leduc_poker lewis_signaling liars_dice liars_dice_ir lines_of_action maedn
    mancala markov_soccer matching_pennies_3p matrix_bos matrix_brps matrix_cd
    matrix_coordination matrix_mp matrix_pd matrix_rps matrix_rpsw matrix_sh
    matrix_shapleys_game mfg_crowd_modelling mfg_crowd_modelling_2d mfg_dynamic_routing
    mfg_garnet mnk morpion_solitaire negotiation nim nine_mens_morris oh_hell oshi_zumo othello
    oware pathfinding pentago phantom_go phantom_ttt phantom_ttt_ir pig python_ant_foraging
    python_block_dominoes python_dynamic_routing python_hangman
    python_iterated_prisoners_dilemma python_kuhn_poker python_liars_poker python_team_dominoes
    python_tic_tac_toe quoridor rbc repeated_leduc_poker sheriff shogi skat snake
    social_deduction solitaire spades stones_and_gems tarok tic_tac_toe tiny_bridge_2p
    tiny_bridge_4p tiny_hanabi trade_comm twixt ultimate_tic_tac_toe universal_poker xiangqi y
    yacht
"""

OPENSPIEL = {game: {"game": game} for game in _OPENSPIEL.split()}
"""Every game of OpenSpiel that can be played without parameters."""

_TEXTARENA = """
    2048 Bandit Blackjack Countdown Crosswords Cryptarithm FifteenPuzzle FrozenLake
    GuessTheNumber Hangman LightsOut LogicPuzzle Mastermind Minesweeper PegJump RushHour
    Secretary Set Slitherlink Sokoban Sudoku ThreeCardMonte TowerOfHanoi WordLadder WordSearch
    Wordle
"""

TEXTARENA = {game: {"env_id": f"{game}-v0"} for game in _TEXTARENA.split()}
"""Every game of TextArena that is for one player and needs Python 3.11, no key and no network."""
