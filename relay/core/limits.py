"""What one peer, one key and one address may use. Every bound of the relay that an operator may move stands here."""

import msgspec


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """The relay's bounds; each is a setting `GLUER_LIMIT_<NAME>`. Rates allow bursts of twice their number."""

    frame: int = 1_048_576  # bytes of one frame; twice that is not even read (GP-30)
    timeout: int = 300_000  # ms, the longest deadline of a call; longer ones are cut to it (GP-51)
    in_flight: int = 1_000  # calls of one connection without an outcome
    rate: int = 1_000  # requests a second of one connection (GP-53)
    rate_bytes: int = 4_194_304  # bytes a second of one front end; each frame costs 256 more than it has (GP-5E)
    backend_rate_bytes: int = 33_554_432  # the same of one back end
    subscriptions: int = 1_000  # channels of one connection
    functions: int = 1_000  # functions of one back end
    function_bytes: int = 1_048_576  # bytes of names and descriptions that all back ends of one project register
    project_connections: int = 50_000  # open connections of one project
    project_deliveries: int = 200_000  # messages and progress a second that reach the peers of one project (GP-22)
    project_delivery_bytes: int = 268_435_456  # bytes a second of them
    project_subscription_bytes: int = 67_108_864  # of a project's subscriptions; each costs its name and 256
    process_subscription_bytes: int = 536_870_912  # the same of all projects of this process
    session_connections: int = 16  # connections that share a session (GP-5)
    project_waiting_bytes: int = 67_108_864  # bytes of data of a project's calls that wait, or may run again (GP-16)
    process_waiting_bytes: int = 536_870_912  # the same of all projects of this process
    unsent: int = 8_388_608  # bytes that wait for one slow reader before it is closed with 4430
    unsent_kept: int = 1_048_576  # bytes that may wait for longer than `unsent_seconds`
    unsent_seconds: int = 5  # s
    project_unsent: int = 134_217_728  # bytes that wait for all slow readers of a project; the slowest are cut
    process_unsent: int = 536_870_912  # the same of all projects of this process
    hello_seconds: int = 10  # s until the first frame must have come (GP-2)
    hello_frames: int = 64  # frames a client may send before its `welcome`
    hello_bytes: int = 32_768  # bytes of them, and of all that a client sends before (GP-2)
    key_rate: int = 20_000  # requests a second of all connections of one key
    key_rate_bytes: int = 268_435_456  # bytes a second of all connections of one key
    key_hellos: int = 1_000  # new connections a second with one key
    key_connections: int = 50_000  # open connections of one key
    ip_rate: int = 10_000  # requests a second from one address
    ip_rate_bytes: int = 67_108_864  # bytes a second from one address
    ip_hellos: int = 200  # new connections a second from one address; a company's visitors may share one
    ip_connections: int = 10_000  # open connections from one address
    ip_failures: int = 10  # unknown keys a second that are looked up for one address: guessing is slow
