import * as gluer from 'gluer-nodejs';
gluer.addEventListener('connection', () => console.log('Backend connected to Gluer!'));
gluer.connect('YOUR_PRIVATE_KEY');
async function add(data) { return { result: data.a + data.b }; }
async function multiply(data) { return { result: data.a * data.b }; }
gluer.register_plugin('calculator', 'add', add);
gluer.register_plugin('calculator', 'multiply', multiply);
