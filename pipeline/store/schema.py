"""The tables of `library.db`, and how an older library is brought to the newest of them.

`MIGRATIONS[n]` takes a library from version n to n + 1; append, never edit one that shipped.
What every table holds is the truth; `index/` is derived from `passages` and `embeddings`.
"""

from __future__ import annotations

_FIRST = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;

CREATE TABLE videos (
    number INTEGER PRIMARY KEY AUTOINCREMENT,  -- what the derived indexes store; never reused
    video_id TEXT NOT NULL UNIQUE,
    title TEXT NOT NULL,
    path TEXT NOT NULL,
    duration REAL NOT NULL,
    sha256 TEXT NOT NULL,
    size INTEGER NOT NULL,
    modified_ns INTEGER NOT NULL,
    sidecars TEXT NOT NULL,  -- JSON
    date TEXT NOT NULL,
    language TEXT NOT NULL,
    url TEXT NOT NULL,
    added TEXT NOT NULL,
    media TEXT NOT NULL  -- JSON
);
CREATE INDEX videos_by_path ON videos (path);
CREATE INDEX videos_by_hash ON videos (sha256);

CREATE TABLE segments (
    video_id TEXT NOT NULL REFERENCES videos (video_id) ON DELETE CASCADE,
    source TEXT NOT NULL,
    ordinal INTEGER NOT NULL,  -- in (start, end) order within the video's source
    start REAL NOT NULL,
    "end" REAL NOT NULL,
    text TEXT NOT NULL,
    speaker TEXT NOT NULL,
    language TEXT NOT NULL,
    flags TEXT NOT NULL,  -- JSON
    words TEXT,  -- JSON, [[start, end, text, probability], ...]
    PRIMARY KEY (video_id, source, ordinal),
    CHECK (0 <= start AND start < "end")
) WITHOUT ROWID;

CREATE TABLE passages (
    "row" INTEGER PRIMARY KEY AUTOINCREMENT,  -- never reused, and a row never changes
    id TEXT NOT NULL UNIQUE,
    video_id TEXT NOT NULL REFERENCES videos (video_id) ON DELETE CASCADE,
    source TEXT NOT NULL,
    idx INTEGER NOT NULL,
    start REAL NOT NULL,
    "end" REAL NOT NULL,
    text TEXT NOT NULL,
    language TEXT NOT NULL,
    first INTEGER NOT NULL,
    last INTEGER NOT NULL,
    text_key INTEGER NOT NULL,  -- of the text, to find an embedding made before
    generation INTEGER NOT NULL,
    CHECK (0 <= start AND start < "end")
);
CREATE INDEX passages_by_place ON passages (video_id, source, idx);
CREATE INDEX passages_by_text ON passages (text_key);

-- Apart from the passages, so that reading texts does not read vectors, and so that another
-- model's vectors can be made beside them and take their place in one step.
CREATE TABLE embeddings (
    "row" INTEGER PRIMARY KEY REFERENCES passages ("row") ON DELETE CASCADE,
    vector BLOB NOT NULL  -- float32, little-endian
);
CREATE TABLE next_embeddings (
    "row" INTEGER PRIMARY KEY REFERENCES passages ("row") ON DELETE CASCADE,
    vector BLOB NOT NULL
);

-- Rows that are gone, so that derived indexes can catch up. Nothing of the text stays.
CREATE TABLE tombstones ("row" INTEGER PRIMARY KEY, generation INTEGER NOT NULL);
CREATE INDEX tombstones_by_generation ON tombstones (generation);

CREATE TABLE stages (
    video_id TEXT NOT NULL REFERENCES videos (video_id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    status TEXT NOT NULL,
    key TEXT NOT NULL,
    reason TEXT NOT NULL,
    seconds REAL NOT NULL,
    model_calls INTEGER NOT NULL,
    PRIMARY KEY (video_id, name)
) WITHOUT ROWID;

-- No reference to videos: work on a file is claimed before the video is known.
CREATE TABLE leases (
    video_id TEXT NOT NULL,
    stage TEXT NOT NULL,
    owner TEXT NOT NULL,
    expires REAL NOT NULL,  -- seconds since the epoch
    PRIMARY KEY (video_id, stage)
) WITHOUT ROWID;

CREATE TABLE outputs (
    key TEXT PRIMARY KEY,
    value BLOB NOT NULL,
    created TEXT NOT NULL
);
CREATE TABLE output_owners (  -- an output goes when the last video that used it goes
    key TEXT NOT NULL REFERENCES outputs (key) ON DELETE CASCADE,
    video_id TEXT NOT NULL,
    PRIMARY KEY (key, video_id)
) WITHOUT ROWID;
CREATE INDEX output_owners_by_video ON output_owners (video_id);

CREATE TABLE shots (
    video_id TEXT NOT NULL REFERENCES videos (video_id) ON DELETE CASCADE,
    start REAL NOT NULL,
    "end" REAL NOT NULL,
    facts TEXT NOT NULL,  -- JSON
    PRIMARY KEY (video_id, start),
    CHECK (0 <= start AND start < "end")
) WITHOUT ROWID;

CREATE TABLE frames (
    video_id TEXT NOT NULL REFERENCES videos (video_id) ON DELETE CASCADE,
    time REAL NOT NULL,
    path TEXT NOT NULL,  -- relative to the library
    facts TEXT NOT NULL,  -- JSON
    PRIMARY KEY (video_id, time),
    CHECK (0 <= time)
) WITHOUT ROWID;

INSERT INTO meta VALUES ('generation', '0'), ('epoch', lower(hex(randomblob(8))));
"""

# The visual channel: key frames as vectors of one dual encoder, see `frame_vectors`.
_FRAME_VECTORS = """
CREATE TABLE frame_embeddings (
    "row" INTEGER PRIMARY KEY AUTOINCREMENT,  -- never reused, and a row never changes
    video_id TEXT NOT NULL REFERENCES videos (video_id) ON DELETE CASCADE,
    time REAL NOT NULL,
    start REAL NOT NULL,  -- the stretch that the frame stands for
    "end" REAL NOT NULL,
    picture TEXT NOT NULL,  -- of the file and the model, to find a vector made before
    generation INTEGER NOT NULL,
    vector BLOB NOT NULL,  -- float32, little-endian
    CHECK (0 <= start AND start < "end")
);
CREATE INDEX frame_embeddings_by_video ON frame_embeddings (video_id, time);
CREATE INDEX frame_embeddings_by_picture ON frame_embeddings (picture);
CREATE TABLE frame_tombstones ("row" INTEGER PRIMARY KEY, generation INTEGER NOT NULL);
CREATE INDEX frame_tombstones_by_generation ON frame_tombstones (generation);

INSERT INTO meta VALUES ('frame_generation', '0'), ('frame_epoch', lower(hex(randomblob(8))));
"""

# Steps of a few seconds inside a passage, see `windows`.
_WINDOWS = """
CREATE TABLE windows (
    "row" INTEGER PRIMARY KEY REFERENCES passages ("row") ON DELETE CASCADE,
    places BLOB NOT NULL,  -- (start, end, left, right) of each
    scales BLOB NOT NULL,  -- float32, little-endian
    vectors BLOB NOT NULL  -- int8, times the scale
);
CREATE TABLE next_windows (
    "row" INTEGER PRIMARY KEY REFERENCES passages ("row") ON DELETE CASCADE,
    places BLOB NOT NULL,
    scales BLOB NOT NULL,
    vectors BLOB NOT NULL
);
"""

# What is known of a video beside its text, by who says so, and what users corrected.
_METADATA = """
CREATE TABLE metadata (
    video_id TEXT NOT NULL REFERENCES videos (video_id) ON DELETE CASCADE,
    origin TEXT NOT NULL,
    name TEXT NOT NULL,
    value TEXT NOT NULL,  -- JSON, a list
    PRIMARY KEY (video_id, origin, name)
) WITHOUT ROWID;

CREATE TABLE corrections (
    number INTEGER PRIMARY KEY AUTOINCREMENT,  -- in the order they are applied
    video_id TEXT NOT NULL REFERENCES videos (video_id) ON DELETE CASCADE,
    edit INTEGER NOT NULL,  -- what one command corrected is taken back together
    field TEXT NOT NULL,
    replaced TEXT NOT NULL,
    value TEXT NOT NULL,
    source TEXT NOT NULL,  -- '' for what is known of the video itself
    start REAL NOT NULL,
    "end" REAL NOT NULL,
    said TEXT NOT NULL,
    made TEXT NOT NULL,
    fits INTEGER NOT NULL
);
CREATE INDEX corrections_by_video ON corrections (video_id, source, number);

ALTER TABLE segments ADD COLUMN read TEXT;  -- JSON, of one that was corrected: as it was read
CREATE INDEX segments_by_speaker ON segments (video_id, speaker) WHERE speaker <> '';
"""

# What a vision model saw when it was asked a question, see `looks`.
_LOOKS = """
CREATE TABLE looks (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    video_id TEXT NOT NULL REFERENCES videos (video_id) ON DELETE CASCADE,
    sha256 TEXT NOT NULL,  -- of the content that was looked at
    key TEXT NOT NULL,  -- of what was asked; the segments of one look share it
    question TEXT NOT NULL,
    start REAL NOT NULL,
    "end" REAL NOT NULL,
    text TEXT NOT NULL,
    waiting INTEGER NOT NULL,  -- 1 until it is among the video's captions and in their passages
    made TEXT NOT NULL,
    CHECK (0 <= start AND start < "end")
);
CREATE INDEX looks_by_video ON looks (video_id, start);
"""

# Few segments are flagged: which of the passages found rest on such ones is asked in every search.
_DOUBT = """
CREATE INDEX segments_with_flags ON segments (video_id, source, ordinal) WHERE flags <> '[]';
"""

# What may be spent on looking at pictures, see `spendings`; the newest is in force.
_SPENDINGS = """
CREATE TABLE budgets (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    amount REAL,  -- NULL: no limit
    unit TEXT NOT NULL,
    opened TEXT NOT NULL,
    calls INTEGER NOT NULL DEFAULT 0,
    seconds REAL NOT NULL DEFAULT 0,
    prompt_tokens INTEGER NOT NULL DEFAULT 0,
    completion_tokens INTEGER NOT NULL DEFAULT 0,
    usd REAL NOT NULL DEFAULT 0
);
CREATE TABLE reservations (  -- calls under way
    budget INTEGER NOT NULL REFERENCES budgets (number) ON DELETE CASCADE,
    owner TEXT NOT NULL,
    calls INTEGER NOT NULL,
    expires REAL NOT NULL,  -- seconds since the epoch
    PRIMARY KEY (budget, owner)
) WITHOUT ROWID;
"""

# Whether there are any is asked whenever the indexes are brought up to date.
_LEVELS = """
CREATE INDEX passages_of_levels ON passages ("row") WHERE source IN ('chapter', 'summary');
"""

# Conversations about the library, see `chats`.
_CHATS = """
CREATE TABLE chats (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE,
    begun TEXT NOT NULL,
    last TEXT NOT NULL
);
CREATE TABLE turns (
    chat INTEGER NOT NULL REFERENCES chats (number) ON DELETE CASCADE,
    number INTEGER NOT NULL,  -- from 1 in each chat
    turn TEXT NOT NULL,  -- JSON
    made TEXT NOT NULL,
    PRIMARY KEY (chat, number)
) WITHOUT ROWID;
"""

MIGRATIONS: tuple[str, ...] = (
    _FIRST,
    _FRAME_VECTORS,
    _WINDOWS,
    _METADATA,
    _LOOKS,
    _DOUBT,
    _SPENDINGS,
    _LEVELS,
    _CHATS,
)
VERSION = len(MIGRATIONS)
