import { assertEquals } from "@std/assert";
import { compile, has } from "../core/testdata/child.ts";
import { addrinfo, gai, net, TCP_CLOSE } from "./_net_abi.ts";

/** Under an emulator the compiler is the machine's, not the emulated one. */
function compilesForThis(): boolean {
  if (!has("cc")) return false;
  const { stdout } = new Deno.Command("cc", { args: ["-dumpmachine"] }).outputSync();
  return new TextDecoder().decode(stdout).startsWith(Deno.build.arch);
}

Deno.test({
  name: "abi of internet sockets is what the compiler of this machine says",
  ignore: !compilesForThis(),
  fn: async () => {
    const { size, ...members } = addrinfo;
    const numbers: Record<string, number> = { ...net, ...gai, TCP_CLOSE, "sizeof(struct addrinfo)": size };
    for (const [name, at] of Object.entries(members)) {
      numbers[`offsetof(struct addrinfo, ai_${name})`] = at;
    }
    const headers = ["netdb", "netinet/in", "netinet/tcp", "stddef", "stdio", "sys/socket"];
    const source = [
      "#define _GNU_SOURCE",
      ...headers.map((name) => `#include <${name}.h>`),
      "int main(void) {",
      ...Object.keys(numbers).map((name) => `printf("%s=%lld\\n", "${name}", (long long)(${name}));`),
      'printf("first=%zu\\n", offsetof(struct tcp_info, tcpi_state));',
      "return 0; }",
    ].join("\n");
    const folder = await Deno.makeTempDir();
    try {
      const program = await compile(folder, "abi", source);
      const { stdout } = await new Deno.Command(program).output();
      const lines = new TextDecoder().decode(stdout).trim().split("\n");
      const told = Object.fromEntries(lines.map((line) => {
        const end = line.lastIndexOf("=");
        return [line.slice(0, end), Number(line.slice(end + 1))];
      }));
      assertEquals(told, { ...numbers, first: 0 });
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});
