"""The text of a new party.toml: every setting, explained where it stands."""

import json

from events.vocabulary import DATA_ROLES, TABLE_ROLES, Role

DEFAULT_BROKER = "amqp://{name}:${{TALLY_BROKER_PASSWORD}}@localhost:5672/tallystick"

HEAD = """\
# Settings of one Tallystick party. Paths are relative to this folder.
# ${{VARIABLE}} is replaced by that environment variable when the value is used: keep passwords
# out of this file.

name = {name}
role = {role}

# The RabbitMQ broker. Outside this machine by TLS, with this party's certificate as its login:
# amqps://HOST/tallystick?cacertfile=keys/broker-authority.pem&certfile=keys/broker.pem&keyfile=keys/broker.key
# or, where the broker knows passwords, amqps://user:${{PASSWORD}}@HOST/tallystick?cacertfile=…
broker = {broker}
# Where the only way out is a company's HTTP proxy (CONNECT to the broker's host and port):
# proxy = "http://${{PROXY_USER}}:${{PROXY_PASSWORD}}@proxy.example:3128"

# The log: SQLite in this folder (log.sqlite) unless a PostgreSQL database is named.
# store = "postgresql+psycopg://user:${{TALLY_STORE_PASSWORD}}@host/database"

# The newest version of the protocol to speak, until every member has been upgraded.
# newest_protocol = 1

# Threads for the encrypted arithmetic; all cores unless stated.
# threads = 4
"""

MART_SOURCE = """
# What the mart's members contributed; `tally mart load` writes it, from `tally mart contribute`.
[source]
file = "contributions.parquet"
id = "handle"
"""

COMPUTE = """
# Who multiplies the encrypted gradient of wide data: threads of this process unless stated.
# [compute]
# backend = "dask"                 # a cluster of your own (needs tallystick[cluster]), or "loky":
                                   # processes of this machine, as many as workers = 4 says
# address = "tcp://10.0.0.5:8786"  # dask: its scheduler, or tls://…
"""

SOURCE = """
# This party's own data: a CSV or Parquet file, or the result of a SQL query. Only the first line
# is needed, or url and query in its place, where the other columns are plain.
# [source]
# file = "customers.csv"
# samples = "customer"             # features from a kind of samples below; file or url: labels
# url = "postgresql+psycopg://user:${TALLY_SOURCE_PASSWORD}@host/database"  # any SQLAlchemy address
# query = "SELECT * FROM customers"
# id = "customer_id"               # the column of customer ids
# label = "y"                      # the column to be predicted, at the local party
# observed_on = 2026-01-31         # the day to which dates are counted
# include = ["income", "age"]      # features to use; all columns unless stated
# exclude = ["city"]               # features to leave out
# rules = {income = "quantile"}    # or zero_nonzero, sign, presence, values, category
"""

SAMPLES = """
# What is scored, one section a kind of sample. Without any, kind "customers" is made from [source]:
# its rows are features as they are, kept in scoring.duckdb and scoring.sqlite of this folder.
# [samples.customer]
# extraction = "customer.sql"      # one SELECT in the engine's SQL: sample_id and the features
# table = "customers"              # raw rows in the engine; or file, or url and query, as above
# id = "customer_id"               # the raw rows' id
# observed = "updated_at"          # the raw column that says when a row was observed
# observed_on = 2026-01-31         # the day to which dates are counted; the day of observation
# include = ["income", "age"]      # raw columns that are features where no script is written
# exclude = ["city"]
# engine = "postgresql+psycopg://user:${TALLY_ENGINE_PASSWORD}@host/database"  # for batches
# lookup = "sqlite:///scoring.sqlite"  # for single look-ups
# broker = "amqp://user:${TALLY_SAMPLES_PASSWORD}@localhost/samples"  # of raw messages: your own
# columns = {customer_id = "text", income = "number", updated_at = "time"}  # of raw messages
"""
SCORING = """
# Serving models. A trained model becomes a table of this party's engines by itself.
# [scoring]
# convert = true
# samples = "customers"            # which [samples.NAME] is scored, where there are several
"""

POLICY = """
# What this party agrees to. Jobs beyond these limits are declined.
# [policy]
# requesters = ["bank"]            # whose jobs are accepted; all trusted parties unless stated
# kinds = ["logistic", "linear"]
# profiles = ["default", "patent"]
# alignments = ["psi"]             # of hash, psi and mart; hashes can be broken by who has the key
# intersections_per_day = 20       # sets that a requester may have compared; each tells it members
# largest_set = 10000000           # most customers that a requester may bring
# leak_budget = 0.5                # rounds x rank of what an owner learns, over rows
# smallest_overlap = 100           # customers in common
# smallest_bin = 20                # customers on either value of a trained column
# maximum_rounds = 1000
# scoring_requesters = ["bank"]    # whose requests for scores are answered; all trusted parties
# scoring_rows_an_hour = 1000000   # for each of them and model
# score_digits = 6                 # round partial scores to so many decimals; exact unless stated
# identification_requesters = ["bank"]  # for whom customers are identified; all trusted parties
# labels_per_customer = 10         # how often a customer is identified by one model, by whomever
# release_scores = false           # F with two digits, where every party says so
# new_keys = "ask"                 # of another party: only by `tally party trust`; else "accept"
# escrows: who else may open what is sealed for a job's members; nobody unless stated. The line is
# printed by `tally escrow new`:
# escrows = [{{name = "supervisor", sealing_key = "{key}"}}]
""".format(key="age1" + 58 * "q")


def settings_text(role: Role, name: str, broker: str | None, tables: str) -> str:
    """A party.toml that can be used as it is, but for the data source."""
    head = HEAD.format(
        name=json.dumps(name),
        role=json.dumps(str(role)),
        broker=json.dumps(broker or DEFAULT_BROKER.format(name=name)),
    )
    source = ""
    if "[source]" not in tables and role in TABLE_ROLES:
        source = MART_SOURCE if role is Role.MART else SOURCE
    compute = COMPUTE if role in DATA_ROLES and "[compute]" not in tables else ""
    source += SAMPLES if role in DATA_ROLES and "[samples" not in tables else ""
    scoring = SCORING if role in DATA_ROLES and "[scoring]" not in tables else ""
    policy = "" if "[policy]" in tables else POLICY
    return head + compute + source + scoring + policy + (f"\n{tables.strip()}\n" if tables else "")
