// How a program talks with its test. JSON commands come on stdin, one a line: {id, do, …}; each is answered on stdout by
// {id, value} or {id, error}. {event, …} comes there at any time.
const { createInterface } = require('node:readline');
const { join } = require('node:path');

const write = (said) => process.stdout.write(JSON.stringify(said) + '\n');
const fields = ({ code, message, retryable, data }) => ({ code, message, retryable, data });

/** A built package, as npm would install it. */
exports.sdk = (name) => require(join(process.env.SDKS, name, 'dist', 'index.cjs'));

exports.tell = (event, detail) => write({ event, ...detail });

/** Tells of the client's own events. */
exports.listen = (client) => {
  for (const event of ['connection', 'disconnect', 'error'])
    client.addEventListener(event, ({ detail: { error, ...detail } }) => exports.tell(event, detail));
};

/** Does what is asked, by the command's name, until nobody can ask any more. */
exports.obey = (commands) => {
  async function run({ id, do: name, ...said }) {
    try {
      write({ id, value: await commands[name](said) });
    } catch (error) {
      write({ id, error: fields(error) });
    }
  }
  createInterface({ input: process.stdin }).on('line', (line) => run(JSON.parse(line))).on('close', () => process.exit());
};
