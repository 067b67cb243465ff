import { faultSuite, leakCheck } from "@ipc/core/testing";
import { listenTcp } from "./tcp_listener.ts";
import { connectTcp } from "./tcp.ts";
import { openTcp } from "./testdata/net_pairs.ts";
import { bindUdp, connectUdp } from "./udp.ts";

leakCheck();

// Small enough to be full soon.
const sizes = { sendBufferSize: 32 * 1024, receiveBufferSize: 32 * 1024 };

faultSuite("tcp", () => openTcp(sizes), {
  more: {
    "a connection with every option": async () => {
      const options = { keepAlive: true, sendBufferSize: 65536, receiveBufferSize: 65536 };
      using listener = await listenTcp("127.0.0.1:0", { ...options, reusePort: true, authorize: () => true });
      using client = await connectTcp(listener.address, options);
      using server = await listener.accept();
      await client.send(new Uint8Array(1));
      await server?.receive();
    },
    "a datagram answered, and a group": async () => {
      using server = await bindUdp("127.0.0.1:0", {
        reuseAddress: true,
        multicastTtl: 0,
        multicastLoop: true,
      });
      using client = await connectUdp(server.address, { broadcast: true });
      await client.send(new Uint8Array(3));
      const message = await server.receiveMessage({ timeout: 5000 });
      server.sendSync(new Uint8Array(2), { to: message!.from });
      client.receiveSync({ timeout: 1000 });
      server.joinGroup("239.255.1.2", { interface: "lo" });
      server.leaveGroup("239.255.1.2", { interface: "lo" });
    },
    "a connection that nobody takes": async () => {
      using listener = await listenTcp("127.0.0.1:0");
      listener.close();
      await connectTcp(listener.address).catch((error) => {
        if (error.code !== "ECONNREFUSED") throw error;
      });
    },
  },
});
