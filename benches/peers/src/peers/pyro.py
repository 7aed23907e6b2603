"""Both ends of the Pyro 5 peer: `serve WORKLOAD`, or `call TASK` with the task as JSON. See pyro.rs."""

import json
import os
import sys
import threading
import time

import Pyro5.api
import serpent

Pyro5.config.SOCK_NODELAY = True
WARM_UP = 0.3
TOLD_TOGETHER = 256


def stamp(number):
    return number.to_bytes(8, "little") * 8


@Pyro5.api.expose
class Echo:
    def __init__(self):
        self.calls, self.sum, self.lock = 0, 0, threading.Lock()

    def echo(self, payload):
        return payload

    @Pyro5.api.oneway
    def tell(self, payload):
        with self.lock:  # oneway calls run in threads of their own
            self.calls += 1
            self.sum += int.from_bytes(serpent.tobytes(payload)[:8], "little")

    def told(self):
        with self.lock:
            return self.calls, self.sum


def serve(workload):
    if workload == "W6":
        Pyro5.config.SERVERTYPE = "multiplex"
    daemon = Pyro5.api.Daemon(host="127.0.0.1")
    print(daemon.register(Echo()), flush=True)

    def end_with_parent():
        sys.stdin.read()
        os._exit(0)

    threading.Thread(target=end_with_parent, daemon=True).start()
    daemon.requestLoop()


def check(number, reply):
    assert serpent.tobytes(reply) == stamp(number), f"the reply to call {number} is not what was sent"


def one_by_one(proxy, size, seconds):
    small = size == 64
    large = bytes((at // 251 ^ at) & 255 for at in range(0 if small else size))
    number, times = 0, []
    begin = time.perf_counter() + WARM_UP
    before = time.perf_counter()
    while before < begin + seconds:
        number += 1
        if small:
            check(number, proxy.echo(stamp(number)))
        else:
            assert serpent.tobytes(proxy.echo(large)) == large, "the large reply is not what was sent"
        after = time.perf_counter()
        if before >= begin:
            times.append(after - before)
        before = after
    times.sort()
    return {
        "calls": len(times),
        "rate": len(times) / sum(times),
        "p50_us": times[len(times) // 2] * 1e6,
        "p99_us": times[len(times) * 99 // 100] * 1e6,
    }


def in_flight(uri, connections, depth, seconds):
    done, closed, failed = [0] * connections, threading.Event(), []

    def batches(connection):
        try:
            with Pyro5.api.Proxy(uri) as proxy:
                number = 0
                while not closed.is_set():
                    batch = Pyro5.api.BatchProxy(proxy)
                    for called in range(number, number + depth):
                        batch.echo(stamp(called))
                    for called, reply in enumerate(batch(), number):
                        check(called, reply)
                        done[connection] += 1
                    number += depth
        except BaseException as problem:
            failed.append(problem)

    threads = [threading.Thread(target=batches, args=[connection]) for connection in range(connections)]
    for thread in threads:
        thread.start()
    time.sleep(WARM_UP)
    before, begin = sum(done), time.perf_counter()
    time.sleep(seconds)
    calls, elapsed = sum(done) - before, time.perf_counter() - begin
    closed.set()
    for thread in threads:
        thread.join()
    if failed:
        raise failed[0]
    return {"calls": calls, "rate": calls / elapsed}


def oneway(proxy, seconds):
    calls, total = 0, 0
    begin = time.perf_counter()
    while time.perf_counter() < begin + seconds:
        for _ in range(TOLD_TOGETHER):
            calls += 1
            total += calls
            proxy.tell(stamp(calls))
    while (told := tuple(proxy.told()))[0] < calls:
        time.sleep(0.001)
    assert told == (calls, total), f"the sum of {calls} oneway calls is {told}, not {total}"
    return {"calls": calls, "rate": calls / (time.perf_counter() - begin)}


def memory(process):
    with open(f"/proc/{process}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS:"))


def idle(uri, server, connections, seconds):
    def used(number):
        proxy = Pyro5.api.Proxy(uri)
        check(number, proxy.echo(stamp(number)))
        return proxy

    active = used(0)
    before = memory(server)
    proxies = [used(number) for number in range(connections)]
    grown = max(0, memory(server) - before)
    figures = one_by_one(active, 64, seconds) if seconds > 0 else {}
    del proxies
    return figures | {"kib_per_connection": grown / connections}


def call(task):
    uri = task["address"]
    match task["shape"]:
        case "oneway":
            with Pyro5.api.Proxy(uri) as proxy:
                return oneway(proxy, task["seconds"])
        case {"one_by_one": {"size": size}}:
            with Pyro5.api.Proxy(uri) as proxy:
                return one_by_one(proxy, size, task["seconds"])
        case {"in_flight": {"connections": connections, "depth": depth}}:
            return in_flight(uri, connections, depth, task["seconds"])
        case {"idle": {"connections": connections}}:
            return idle(uri, task["server"], connections, task["seconds"])


if sys.argv[1] == "serve":
    serve(sys.argv[2])
else:
    print(json.dumps(call(json.loads(sys.argv[2]))))
    sys.stdout.flush()
    os._exit(0)  # thousands of proxies need not be closed one by one
