import { defineConfig } from 'vite';

export default defineConfig({
  esbuild: { jsx: 'automatic' },
  define: { 'process.env.NODE_ENV': '"production"' },
  build: { target: 'es2022', outDir: 'dist', minify: false, sourcemap: false, chunkSizeWarningLimit: 100000, reportCompressedSize: false },
  server: { fs: { allow: ['../../..'] } },
});
