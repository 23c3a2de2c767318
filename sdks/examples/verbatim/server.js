import * as gluer from 'gluer-nodejs';
gluer.connect('YOUR_PRIVATE_KEY');
async function add(data) { return { result: data.a + data.b }; }
async function multiply(data) { return { result: data.a * data.b }; }
gluer.register_plugin('calculator', 'add', add);
gluer.register_plugin('calculator', 'multiply', multiply);
console.log('Backend connected to Gluer!');
