// The demo project's back end: a calculator. `make run` starts it and sets GLUER_URL and GLUER_PRIVATE_KEY.
import * as gluer from '../sdks/gluer-nodejs/dist/index.js';

gluer.addEventListener('connection', () => console.log('The demo calculator is connected.'));
gluer.connect(process.env.GLUER_PRIVATE_KEY, { name: 'demo calculator' });

gluer.register_plugin('calculator', 'add', async ({ a, b }) => ({ result: a + b }));
gluer.register_plugin('calculator', 'subtract', async ({ a, b }) => ({ result: a - b }));
gluer.register_plugin('calculator', 'multiply', async ({ a, b }) => ({ result: a * b }));
gluer.register_plugin('calculator', 'divide', async ({ a, b }) => {
  if (b === 0) throw new Error('b must not be 0');
  return { result: a / b };
});
