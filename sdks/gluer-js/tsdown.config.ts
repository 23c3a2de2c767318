import { defineConfig } from 'tsdown';

const common = { target: 'es2022', platform: 'neutral', clean: false, hash: false } as const;

export default defineConfig([
  { ...common, entry: 'src/index.ts', format: ['esm', 'cjs'], dts: true, clean: true, outputOptions: { exports: 'named' }, outExtensions: ({ format }) => (format === 'es' ? { js: '.js', dts: '.d.ts' } : { js: '.cjs', dts: '.d.cts' }) },
  { ...common, entry: { 'gluer-js': 'src/umd.ts' }, format: 'umd', globalName: 'gluer', dts: false, minify: true },
]);
