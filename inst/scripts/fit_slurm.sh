#!/bin/sh
# One fit by all tasks of a SLURM job. Submit with: sbatch fit_slurm.sh
#
#SBATCH --job-name=compert
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=8
#SBATCH --mem=32G
#SBATCH --time=04:00:00

# Tasks find each other at the node that the job started on, where the first task runs.
MASTER_ADDR=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)
# Two jobs on one node must not meet: a port of the job's own.
MASTER_PORT=$((29500 + SLURM_JOB_ID % 1000))
export MASTER_ADDR MASTER_PORT
# Tasks talk to each other over the network by which nodes reach this address, also where the first node
# has its own name for 127.0.1.1, as on Debian. To take another network, name its interface:
# export GLOO_SOCKET_IFNAME=ib0

export OMP_NUM_THREADS="$SLURM_CPUS_PER_TASK"

# A task that is lost ends the others within a minute; --kill-on-bad-exit ends them at once. Submitting
# again goes on from the checkpoint: see fit_slurm.R.
srun --kill-on-bad-exit=1 --cpus-per-task="$SLURM_CPUS_PER_TASK" Rscript fit_slurm.R
