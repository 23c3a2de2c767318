import gluer from 'gluer-js';
gluer.setup({ project: 'YOUR_PUBLIC_KEY' });
gluer.connect();
async function test() {
  const sum = await gluer.sendMsgSync('calculator:add', { a: 5, b: 3 });
  console.log('5 + 3 =', sum.data.result); // 8
  const mult = await gluer.sendMsgSync('calculator:multiply', { a: 4, b: 7 });
  console.log('4 * 7 =', mult.data.result); // 28
}
test();
