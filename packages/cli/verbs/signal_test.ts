/** Signals, from a shell. */

import { assertEquals, assertMatch } from "@std/assert";
import { compile, has } from "../../core/testdata/child.ts";
import { folder, ipc, shell } from "../_testing.ts";

const ignore = !has("cc");
if (ignore) console.warn("cc is missing: that a value arrives with a signal is not tested");

/** Says which signals come, with their values and senders, until one comes with the value 0. */
const HEARER = `
#include <signal.h>
#include <stdio.h>
int main(void) {
  sigset_t all;
  siginfo_t got;
  sigemptyset(&all);
  sigaddset(&all, SIGHUP);
  sigaddset(&all, SIGUSR2);
  for (int number = SIGRTMIN; number <= SIGRTMAX; number++) sigaddset(&all, number);
  sigprocmask(SIG_BLOCK, &all, NULL);
  puts("ready");
  fflush(stdout);
  do {
    int number = sigwaitinfo(&all, &got);
    int value = got.si_code == SI_QUEUE ? got.si_value.sival_int : -1;
    printf("%s%d %d\\n", number >= SIGRTMIN ? "RTMIN+" : "", number >= SIGRTMIN ? number - SIGRTMIN : number, value);
    fflush(stdout);
  } while (got.si_code != SI_QUEUE || got.si_value.sival_int);
}
`;

Deno.test({
  name: "signal sends by name and by number, with a value that a C program reads",
  ignore,
  async fn() {
    using dir = folder();
    const hearer = await compile(dir.path, "hearer", HEARER);
    const { code, stdout, stderr } = await shell(
      `${hearer} > ${dir.path}/heard & pid=$!
       while ! grep -q ready ${dir.path}/heard; do sleep 0.05; done
       heard() { while [ $(wc -l < ${dir.path}/heard) -le $1 ]; do sleep 0.05; done; }
       ipc signal $pid HUP && heard 1
       ipc signal $pid sigusr2 42 && heard 2
       ipc signal -- $pid RTMIN+3 -7 && heard 3
       ipc signal $pid 12 0; wait $pid; cat ${dir.path}/heard`,
    );
    assertEquals([code, stderr], [0, ""]);
    assertEquals(stdout, "ready\n1 -1\n12 42\nRTMIN+3 -7\n12 0\n");
  },
});

Deno.test("signal runs a shell's trap, and says when there is no such process", async () => {
  using dir = folder();
  const { code, stdout } = await shell(
    `sh -c 'trap "echo trapped; exit 3" TERM; echo up; while :; do sleep 0.05; done' > ${dir.path}/trapped & pid=$!
     while ! grep -q up ${dir.path}/trapped; do sleep 0.05; done
     ipc signal $pid TERM; wait $pid; code=$?; cat ${dir.path}/trapped; rm ${dir.path}/trapped; exit $code`,
  );
  assertEquals([code, stdout], [3, "up\ntrapped\n"]);
  const child = new Deno.Command("true").spawn();
  await child.status;
  const gone = await ipc(["signal", String(child.pid), "TERM"]);
  assertEquals(gone.code, 1);
  assertMatch(gone.stderr, /^ipc: signal \d+: no such process \(ESRCH\)\n$/);
});
