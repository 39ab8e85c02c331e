// Control-plane is one binary that holds what the tests need of Kubernetes: etcd, kube-apiserver,
// kube-controller-manager and kubectl, unchanged. The first argument, or else the name under which it is called,
// says which one it is. It exists because none of the four can be had from a Go or Rust package registry as a binary,
// and because building one binary takes a third of the time of building four.
//
// Each runs as its own process, so that a test can kill one and keep the others.
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"
	_ "time/tzdata" // a CronJob may name a time zone, and the machine may have none

	"github.com/spf13/cobra"
	"go.etcd.io/etcd/server/v3/etcdmain"
	_ "k8s.io/client-go/plugin/pkg/client/auth" // kubectl's ways to log in
	"k8s.io/component-base/cli"
	"k8s.io/component-base/logs"
	_ "k8s.io/component-base/logs/json/register"
	_ "k8s.io/component-base/metrics/prometheus/clientgo"
	_ "k8s.io/component-base/metrics/prometheus/version"
	kubectl "k8s.io/kubectl/pkg/cmd"
	"k8s.io/kubectl/pkg/cmd/util"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllermanager "k8s.io/kubernetes/cmd/kube-controller-manager/app"
)

// A server ends when the process with this id is no longer its parent.
const parentVariable = "ONETIMESHARE_PARENT_PID"

// The folder of the test run: etcd removes it when it finds that the parent is gone.
const scratchVariable = "ONETIMESHARE_SCRATCH"

// How often a server looks for its parent, and how long etcd waits before it removes the folder: long enough that
// the other servers have seen it too and no longer write there.
const (
	parentInterval = 200 * time.Millisecond
	scratchDelay   = 5 * parentInterval
)

func main() {
	name := filepath.Base(os.Args[0])
	if !known(name) {
		if len(os.Args) < 2 || !known(os.Args[1]) {
			fmt.Fprintln(os.Stderr, "usage: control-plane etcd|kube-apiserver|kube-controller-manager|kubectl [flags]")
			os.Exit(2)
		}
		// The programs read os.Args themselves: each must find its own name first.
		name = os.Args[1]
		os.Args = os.Args[1:]
	}
	switch name {
	case "etcd":
		endWithParent(os.Getenv(scratchVariable))
		// The real command line of etcd, so that the launcher starts this one and one of the distribution alike.
		etcdmain.Main(os.Args)
	case "kube-apiserver":
		serve(apiserver.NewAPIServerCommand)
	case "kube-controller-manager":
		serve(controllermanager.NewControllerManagerCommand)
	case "kubectl":
		runKubectl()
	}
}

func known(name string) bool {
	switch name {
	case "etcd", "kube-apiserver", "kube-controller-manager", "kubectl":
		return true
	}
	return false
}

func serve(command func() *cobra.Command) {
	endWithParent("")
	os.Exit(cli.Run(command()))
}

func runKubectl() {
	logs.GlogSetter(kubectl.GetLogVerbosity(os.Args)) //nolint:errcheck // as in the original
	if err := cli.RunNoErrOutput(kubectl.NewDefaultKubectlCommand()); err != nil {
		util.CheckErr(err)
	}
}

// endWithParent keeps a killed test from leaving servers behind. It asks for the parent again and again, and does not
// use PR_SET_PDEATHSIG, because that fires when the parent's *thread* ends: a test's thread ends long before a control
// plane that the tests of one process share.
func endWithParent(scratch string) {
	parent, err := strconv.Atoi(os.Getenv(parentVariable))
	if err != nil {
		return // started by hand
	}
	go func() {
		for os.Getppid() == parent {
			time.Sleep(parentInterval)
		}
		if scratch != "" {
			time.Sleep(scratchDelay)
			os.RemoveAll(scratch) //nolint:errcheck // nobody is left to tell
		}
		os.Exit(1)
	}()
}
