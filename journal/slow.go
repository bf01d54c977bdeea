package journal

import "holdfast/journal/disk"

// slowFolder calls before ahead of each sync of its files.
type slowFolder struct {
	disk.Folder
	before func()
}

func (f slowFolder) Open(name string, flag int) (disk.File, error) {
	file, err := f.Folder.Open(name, flag)
	if err != nil {
		return nil, err
	}
	return slowFile{file, f.before}, nil
}

type slowFile struct {
	disk.File
	before func()
}

func (f slowFile) Sync() error {
	f.before()
	return f.File.Sync()
}

func (f slowFile) Drop() { disk.Drop(f.File) }
