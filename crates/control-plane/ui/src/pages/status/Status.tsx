export default function Status({ rest }: { rest: string[] }) {
  return (
    <div class="in">
      <div class="head first">
        <h1>Status {rest.join()}</h1>
      </div>
    </div>
  );
}
