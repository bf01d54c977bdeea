package journal

import (
	"encoding/binary"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.etcd.io/bbolt"
)

// BenchmarkAppend measures what a chain of effects costs: for each step a
// Commit of its intent (140 bytes) and a lazy outcome, which rides with the
// intent of the next.
func BenchmarkAppend(b *testing.B) {
	for _, writers := range []int{1, 16, 64, 256} {
		b.Run(fmt.Sprintf("writers=%d", writers), func(b *testing.B) {
			j := open(b, Options{LogBytes: segmentDefault})
			var left atomic.Int64
			left.Store(int64(b.N))
			ready := make([]*Writer, writers)
			for i := range ready {
				ready[i] = j.Writer()
				commit(b, j, begin(uint64(i+1), fmt.Sprintf("run-%04d", i)))
			}
			before := j.Stats()
			b.ReportAllocs()
			b.ResetTimer()
			var wg sync.WaitGroup
			for i, w := range ready {
				wg.Go(func() { steps(b, w, uint64(i+1), &left) })
			}
			wg.Wait()
			b.StopTimer()
			s := j.Stats()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "steps/s")
			b.ReportMetric(float64(s.Written()-before.Written())/float64(b.N), "diskB/step")
		})
	}
}

// steps makes steps of one run until none are left, over the same ten records
// , so that the file does not grow with b.N.
func steps(b *testing.B, w *Writer, run uint64, left *atomic.Int64) {
	data := make([]byte, 120)
	now := time.Now()
	records := make([]Record, 1)
	for seq := uint32(0); left.Add(-1) >= 0; seq++ {
		records[0] = Record{Seq: seq % 10, Kind: 1, Time: now, Data: data}
		if err := w.Commit(Change{Run: run, Records: records}); err != nil {
			b.Error(err)
			return
		}
		records[0] = Record{Seq: seq % 10, Kind: 2, Time: now, Data: data[:40]}
		if err := w.Append(Change{Run: run, Records: records}, Soon); err != nil {
			b.Error(err)
			return
		}
	}
}

// BenchmarkAppendBareUpdate is what bbolt does alone with the same entries: one
// Update for each step, with its intent and the outcome before.
func BenchmarkAppendBareUpdate(b *testing.B) {
	db, err := bbolt.Open(filepath.Join(b.TempDir(), "bare.db"), 0o600, &bbolt.Options{FreelistType: bbolt.FreelistMapType})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := db.Close(); err != nil {
			b.Error(err)
		}
	})
	update := func(f func(*bbolt.Bucket) error) {
		err := db.Update(func(tx *bbolt.Tx) error {
			bucket, err := tx.CreateBucketIfNotExists([]byte(bucketName))
			if err != nil {
				return err
			}
			return f(bucket)
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	update(func(*bbolt.Bucket) error { return nil })
	value := make([]byte, 140)
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		intent := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint64([]byte{tableRun}, 1), uint32(i%10)*2)
		outcome := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint64([]byte{tableRun}, 1), uint32(i%10)*2+1)
		update(func(bucket *bbolt.Bucket) error {
			if err := bucket.Put(intent, value); err != nil {
				return err
			}
			return bucket.Put(outcome, value[:60])
		})
	}
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "steps/s")
}

// BenchmarkAppendRuns is the whole life of short runs: start, ten steps, end,
// and the move to the history in the background.
func BenchmarkAppendRuns(b *testing.B) {
	j := open(b, Options{LogBytes: segmentDefault})
	data := make([]byte, 120)
	var left atomic.Int64
	left.Store(int64(b.N))
	b.ReportAllocs()
	b.ResetTimer()
	var wg sync.WaitGroup
	for range 64 {
		wg.Go(func() {
			w := j.Writer()
			for left.Add(-1) >= 0 {
				run := j.NextRun()
				err := w.Commit(Change{Run: run, Start: &Header{Run: run, ID: fmt.Sprintf("run-%012d", run), Created: epoch}})
				for seq := uint32(0); seq < 10 && err == nil; seq++ {
					if err = w.Commit(Change{Run: run, Records: []Record{{Seq: seq, Kind: 1, Time: epoch, Data: data}}}); err == nil {
						err = w.Append(Change{Run: run, Records: []Record{{Seq: seq, Kind: 2, Time: epoch, Data: data[:40]}}}, Soon)
					}
				}
				if err == nil {
					err = w.Commit(Change{Run: run, End: data[:60]})
				}
				if err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	b.StopTimer()
	s := j.Stats()
	b.ReportMetric(10*float64(b.N)/b.Elapsed().Seconds(), "steps/s")
	b.ReportMetric(float64(s.LiveBytes)/1e6, "liveMB")
	b.ReportMetric(float64(s.ToMove), "tomove")
}
