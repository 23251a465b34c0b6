package main

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"sort"
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

// layer returns the image's only layer. Everything in it belongs to root
// and has no time.
func (i *image) layer() ([]byte, error) {
	names := make([]string, 0, len(i.files))
	for name := range i.files {
		names = append(names, name)
	}
	sort.Strings(names)
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, name := range names {
		e := i.files[name]
		h := &tar.Header{Typeflag: tar.TypeReg, Name: name[1:], Mode: int64(e.mode.Perm()), Size: int64(len(e.data))}
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
	if err := w.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// write writes the archive, and returns the size of the layer in bytes.
func (i *image) write(out string) (int, error) {
	layer, err := i.layer()
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
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	for _, part := range []struct {
		name string
		data []byte
	}{{"manifest.json", manifest}, {configName, config}, {layerName, layer}} {
		if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: part.name, Mode: 0o644, Size: int64(len(part.data))}); err != nil {
			return 0, fmt.Errorf("make the archive: %w", err)
		}
		if _, err := w.Write(part.data); err != nil {
			return 0, fmt.Errorf("make the archive: %w", err)
		}
	}
	if err := w.Close(); err != nil {
		return 0, fmt.Errorf("make the archive: %w", err)
	}
	if err := os.WriteFile(out, archive.Bytes(), 0o644); err != nil { //nolint:gosec // an image is public
		return 0, fmt.Errorf("write the archive: %w", err)
	}
	return len(layer), nil
}

func digest(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
