"""A Redis that is slow, half gone, or changed by hand."""


def test_the_end_does_not_wait_for_a_redis_that_hangs(deployment):
    server = deployment.start_server("--bot", "echo", "--drain-time", "1")
    with server.raw_websocket(server.token()) as websocket:
        assert websocket.ask("hi") == "BOT: hi"
        deployment.redis.freeze()
        websocket.send_text("in hand")
        server.signal(15)
        websocket.expect_close(1001)
    assert server.wait() == 0
    deployment.redis.thaw()
