// Gitops says what Argo CD and Flux make of objects. It reads objects as JSON on its standard input, one after the
// other, and writes one line of JSON for each: the health that the scripts give it, what each action would change, and
// its kstatus. The argument is the folder with the scripts, in Argo CD's layout.
//
// The engines are the real ones: the Lua interpreter that Argo CD embeds, and the kstatus that Flux uses. What Argo CD
// does around them is in argocd.go.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/cli-utils/pkg/kstatus/status"
)

// Verdict is what is said of one object.
type Verdict struct {
	Health  Outcome           `json:"health"`
	Actions map[string]Action `json:"actions"`
	Kstatus Outcome           `json:"kstatus"`
}

// Outcome is a word and a sentence.
type Outcome struct {
	Status  string `json:"status"`
	Message string `json:"message"`
}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: gitops FOLDER <OBJECTS")
		os.Exit(2)
	}
	if err := judgeAll(os.Args[1], os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "gitops:", err)
		os.Exit(1)
	}
}

func judgeAll(scripts string, in io.Reader, out io.Writer) error {
	objects, verdicts := json.NewDecoder(in), json.NewEncoder(out)
	for {
		var raw json.RawMessage
		if err := objects.Decode(&raw); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("reading an object: %w", err)
		}
		// Only this way of reading keeps whole numbers whole, as kstatus wants them.
		object := &unstructured.Unstructured{}
		if err := object.UnmarshalJSON(raw); err != nil {
			return fmt.Errorf("reading an object: %w", err)
		}
		verdict, err := judge(scripts, object)
		if err != nil {
			return fmt.Errorf("%s %s: %w", object.GetKind(), object.GetName(), err)
		}
		if err := verdicts.Encode(verdict); err != nil {
			return err
		}
	}
}

func judge(scripts string, object *unstructured.Unstructured) (Verdict, error) {
	kind := customization{folder: folderOf(scripts, object)}
	health, err := kind.health(object)
	if err != nil {
		return Verdict{}, fmt.Errorf("health: %w", err)
	}
	actions, err := kind.actions(object)
	if err != nil {
		return Verdict{}, fmt.Errorf("actions: %w", err)
	}
	result, err := status.Compute(object)
	if err != nil {
		return Verdict{}, fmt.Errorf("kstatus: %w", err)
	}
	kstatus := Outcome{Status: result.Status.String(), Message: result.Message}
	return Verdict{Health: health, Actions: actions, Kstatus: kstatus}, nil
}
