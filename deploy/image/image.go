package main

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// image is one layer and its metadata.
type image struct {
	tag, arch, version, revision string
	config                       settings
	files                        map[string]entry // by absolute path
}

// settings is the part of an image's configuration that is used here (OCI
// image-spec, config.md).
type settings struct {
	User       string            `json:"User"`
	Entrypoint []string          `json:"Entrypoint"`
	Cmd        []string          `json:"Cmd,omitempty"`
	WorkingDir string            `json:"WorkingDir"`
	Env        []string          `json:"Env,omitempty"`
	Labels     map[string]string `json:"Labels,omitempty"`
}

// entry is a file, a folder (mode has fs.ModeDir) or a symbolic link.
type entry struct {
	mode fs.FileMode
	data []byte
	link string
}

func (i *image) add(name string, e entry) {
	if i.files == nil {
		i.files = map[string]entry{}
	}
	i.files[name] = e
	for dir := path.Dir(name); dir != "/"; dir = path.Dir(dir) {
		if _, ok := i.files[dir]; !ok {
			i.files[dir] = entry{mode: fs.ModeDir | 0o755}
		}
	}
}

func (i *image) addFile(source, name string, mode fs.FileMode) error {
	data, err := os.ReadFile(source)
	if err != nil {
		return fmt.Errorf("add to the image: %w", err)
	}
	i.add(name, entry{mode: mode, data: data})
	return nil
}

// addTree adds a folder's files, folders and symbolic links.
func (i *image) addTree(root string) error {
	return filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil || p == root {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		name := "/" + filepath.ToSlash(strings.TrimPrefix(p, root+string(filepath.Separator)))
		switch {
		case d.IsDir():
			i.add(name, entry{mode: fs.ModeDir | info.Mode().Perm()})
		case info.Mode()&fs.ModeSymlink != 0:
			link, err := os.Readlink(p)
			if err != nil {
				return err
			}
			i.add(name, entry{mode: fs.ModeSymlink | 0o777, link: link})
		case info.Mode().IsRegular():
			return i.addFile(p, name, info.Mode().Perm())
		}
		return nil
	})
}

// pack returns a tar archive of the named entries, in this order. Everything in it
// belongs to root and has no time.
func pack(names []string, files map[string]entry) ([]byte, error) {
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, name := range names {
		e := files[name]
		h := &tar.Header{Typeflag: tar.TypeReg, Name: strings.TrimPrefix(name, "/"), Mode: int64(e.mode.Perm()), Size: int64(len(e.data))}
		switch {
		case e.mode.IsDir():
			h.Typeflag, h.Name = tar.TypeDir, h.Name+"/"
		case e.mode&fs.ModeSymlink != 0:
			h.Typeflag, h.Linkname = tar.TypeSymlink, e.link
		}
		if err := w.WriteHeader(h); err != nil {
			return nil, err
		}
		if _, err := w.Write(e.data); err != nil {
			return nil, err
		}
	}
	err := w.Close()
	return out.Bytes(), err
}

// write writes the archive, and returns the size of the layer in bytes.
func (i *image) write(out string) (int, error) {
	layer, err := pack(slices.Sorted(maps.Keys(i.files)), i.files)
	if err != nil {
		return 0, fmt.Errorf("make the layer: %w", err)
	}
	i.config.WorkingDir = "/"
	i.config.Labels = map[string]string{"org.opencontainers.image.title": path.Base(strings.Split(i.tag, ":")[0])}
	for key, value := range map[string]string{"version": i.version, "revision": i.revision} {
		if value != "" {
			i.config.Labels["org.opencontainers.image."+key] = value
		}
	}
	config, err := json.Marshal(map[string]any{
		"architecture": i.arch, "os": "linux", "created": "1970-01-01T00:00:00Z", "config": i.config,
		"rootfs":  map[string]any{"type": "layers", "diff_ids": []string{"sha256:" + digest(layer)}},
		"history": []any{map[string]string{"created": "1970-01-01T00:00:00Z", "created_by": "deploy/image"}},
	})
	if err != nil {
		return 0, fmt.Errorf("make the configuration: %w", err)
	}
	configName, layerName := digest(config)+".json", digest(layer)+".tar"
	manifest, err := json.Marshal([]any{map[string]any{"Config": configName, "RepoTags": []string{i.tag}, "Layers": []string{layerName}}})
	if err != nil {
		return 0, fmt.Errorf("make the manifest: %w", err)
	}
	archive, err := pack([]string{"manifest.json", configName, layerName}, map[string]entry{
		"manifest.json": {mode: 0o644, data: manifest}, configName: {mode: 0o644, data: config}, layerName: {mode: 0o644, data: layer},
	})
	if err != nil {
		return 0, fmt.Errorf("make the archive: %w", err)
	}
	if err := os.WriteFile(out, archive, 0o644); err != nil { //nolint:gosec // an image is public
		return 0, fmt.Errorf("write the archive: %w", err)
	}
	return len(layer), nil
}

func digest(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
